//! Scripts made by chance, and what a restore without definers and with a mapped collation has to make of them.
//!
//! Each is put together from pieces that say themselves what becomes of them, so nothing has to be understood.

/// The collation that is mapped, and the one in its place.
pub const COLLATIONS: [&str; 2] = ["utf8mb4_0900_ai_ci", "utf8mb4_unicode_ci"];

/// A script, and what it is to become.
#[derive(Debug, Default)]
pub struct Script {
    pub before: String,
    pub after: String,
}

/// A script that these numbers choose.
pub fn script(numbers: &[u8]) -> Script {
    let mut maker = Maker { dice: numbers.iter(), script: Script::default(), delimiter: ";", backslash: true };
    while maker.dice.len() > 0 {
        maker.statement();
    }
    maker.script
}

/// What is easily taken for something else where it stands in a string, a name or a comment.
const INSIDE: [&str; 24] = [
    "x",
    "DEFINER=`a`@`b`",
    " DEFINER=root@localhost ",
    "COLLATE utf8mb4_0900_ai_ci",
    "COLLATE=utf8mb4_0900_ai_ci",
    "CREATE DEFINER=`a`@`%` VIEW v AS ",
    ";",
    ";;",
    "//",
    "$$",
    "--",
    "-- ",
    "#",
    "/*",
    "/*!50013 ",
    "/*M!100100 ",
    "\\",
    "'",
    "\"",
    "`",
    "\n",
    "\nDELIMITER ;;\n",
    "NO_BACKSLASH_ESCAPES",
    "größe",
];
/// Definers, in all their forms.
pub const DEFINERS: [&str; 9] = [
    "DEFINER=`root`@`localhost`",
    "DEFINER = 'a'@'b'",
    "definer=root@10.0.0.1",
    "DEFINER=app@db_1.example",
    "DEFINER=`role`",
    "DEFINER=CURRENT_USER()",
    "DEFINER=CURRENT_USER",
    "DEFINER=`a``b`@`%`",
    "DEFINER=/* by */`DEFINER=`@`'`",
];
const OBJECTS: [&str; 6] = [
    "VIEW `v` AS SELECT ",
    "PROCEDURE p() BEGIN SELECT ",
    "FUNCTION `f`(a int) RETURNS int RETURN ",
    "TRIGGER `t` BEFORE INSERT ON `x` FOR EACH ROW SET @a = ",
    "EVENT `e` ON SCHEDULE EVERY 1 DAY DO SELECT ",
    "SQL SECURITY DEFINER VIEW `v` AS SELECT ",
];
const PLAIN: [&str; 14] = [
    "1",
    "word",
    "-1",
    "0xFF",
    "x'41'",
    "b'01'",
    "(1, 2)",
    "a - - b",
    "a/b",
    "@collate = 'utf8mb4_0900_ai_ci'",
    "t.collate = 'utf8mb4_0900_ai_ci'",
    "utf8mb4_0900_ai_ci",
    "@definer",
    "CURRENT_USER",
];
const DELIMITERS: [&str; 4] = [";", ";;", "//", "$$"];

struct Maker<'n> {
    dice: std::slice::Iter<'n, u8>,
    script: Script,
    delimiter: &'static str,
    backslash: bool,
}

impl Maker<'_> {
    fn roll(&mut self, sides: usize) -> usize {
        self.dice.next().map_or(0, |&number| usize::from(number) % sides)
    }

    fn one_of(&mut self, list: &[&'static str]) -> &'static str {
        list[self.roll(list.len())]
    }

    /// Something that stays.
    fn put(&mut self, text: &str) {
        self.becomes(text, text);
    }

    fn becomes(&mut self, before: &str, after: &str) {
        self.script.before += before;
        self.script.after += after;
    }

    fn statement(&mut self) {
        match self.roll(8) {
            0 => self.remark(),
            1 => {
                self.put("INSERT INTO `t` VALUES (");
                self.noise(0);
                self.put("),(");
                self.noise(0);
                self.put(")");
            }
            2 => self.table(),
            3 => {
                let at = self.one_of(&["SET collation_connection = ", "/*!50003 SET @@session.collation_connection="]);
                self.becomes(&format!("{at}{}", COLLATIONS[0]), &format!("{at}{}", COLLATIONS[1]));
                self.put(if at.starts_with('/') { " */" } else { "" });
            }
            4 => {
                self.delimiter = self.one_of(&DELIMITERS);
                let line = format!("\nDELIMITER {}\n", self.delimiter);
                return self.put(&line);
            }
            5 => {
                let backslash = self.roll(2) == 0;
                self.put(if backslash { "SET sql_mode='ANSI'" } else { "SET sql_mode='NO_BACKSLASH_ESCAPES'" });
                self.end();
                self.backslash = backslash;
                return;
            }
            6 => self.view_in_brackets(),
            _ => self.definer(),
        }
        self.end();
    }

    fn end(&mut self) {
        let end = format!(" {}\n", self.delimiter);
        self.put(&end);
    }

    fn table(&mut self) {
        self.put("CREATE TABLE `t` (`DEFINER=``x` varchar(9) ");
        for _ in 0..=self.roll(3) {
            let keyword = self.one_of(&["COLLATE ", "COLLATE=", "collate = ", "COLLATE/* as */"]);
            let quote = self.one_of(&["", "'", "`"]);
            let [from, to] = COLLATIONS.map(|name| format!("{keyword}{quote}{name}{quote} "));
            self.becomes(&from, &to);
            self.put("COMMENT ");
            self.quoted();
        }
        self.put(")");
    }

    /// A view as mysqldump writes it.
    fn view_in_brackets(&mut self) {
        let open = self.one_of(&["/*!50013 ", "/*M!100100 "]);
        self.put("/*!50001 CREATE ALGORITHM=UNDEFINED */\n");
        self.put(open);
        let definer = self.one_of(&DEFINERS);
        self.becomes(&format!("{definer} "), "");
        self.put("SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS select ");
        self.noise(1);
        self.put(" */");
    }

    fn definer(&mut self) {
        let create =
            self.one_of(&["CREATE ", "create /* DEFINER=`a`@`b` */ ", "CREATE OR REPLACE ", "/*!50003 CREATE */ "]);
        self.put(create);
        let definer = self.one_of(&DEFINERS);
        self.becomes(&format!("{definer} "), "");
        let object = self.one_of(&OBJECTS);
        self.put(object);
        self.noise(1);
        if self.delimiter != ";" {
            self.put("; END");
        }
    }

    /// What a statement may be made of. Rows go through as they are: there the second collation is 0, the first.
    fn noise(&mut self, mapped: usize) {
        for _ in 0..=self.roll(6) {
            match self.roll(5) {
                0 => {
                    let plain = self.one_of(&PLAIN);
                    self.put(plain);
                }
                1 => self.remark(),
                2 => {
                    self.put("a COLLATE ");
                    self.becomes(COLLATIONS[0], COLLATIONS[mapped]);
                }
                3 => self.put("/*!99999 odd */"),
                _ => self.quoted(),
            }
            self.put(" ");
        }
    }

    fn inside(&mut self) -> String {
        (0..self.roll(5)).map(|_| self.one_of(&INSIDE)).collect()
    }

    fn remark(&mut self) {
        let inside = self.inside();
        let text = match self.roll(3) {
            // No `!`, `M` or `+` right behind the opening, and no end but the last.
            0 => format!("/* {} */", inside.replace("*/", "")),
            1 => format!("-- {}\n", inside.replace('\n', " ")),
            _ => format!("#{}\n", inside.replace('\n', " ")),
        };
        self.put(&text);
    }

    /// A string or quoted name.
    fn quoted(&mut self) {
        let quote = self.one_of(&["'", "\"", "`"]);
        let (inside, slashed) = (self.inside(), self.roll(2) == 1);
        let escapes = self.backslash && quote != "`";
        let inside = if escapes { inside.replace('\\', "\\\\") } else { inside };
        let twice = if escapes && slashed { format!("\\{quote}") } else { quote.repeat(2) };
        let text = format!("{quote}{}{quote}", inside.replace(quote, &twice));
        self.put(&text);
    }
}
