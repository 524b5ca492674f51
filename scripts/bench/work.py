"""What is measured: kinds of work, who does each of them, and the goals. One table for each kind.

A contender is a line of bash. It writes what it makes to $OUT, a folder that is empty before each run; $KEEP has what
was made beforehand (`INPUTS`). The goals are those of the project's plan: ratios of medians, and a few plain figures.
"""

from dataclasses import dataclass, field

POSTGRES, MYSQL = "PostgreSQL", "MySQL"


@dataclass
class Contender:
    name: str
    command: str
    # Some of dbhaul's are not there in every version of it: a refusal (exit codes 2 and 10) is then no wrong result.
    may_refuse: bool = False

    @property
    def ours(self):
        return self.command.startswith("dbhaul")


@dataclass
class Goal:
    """`value` makes a number of the kind's results, or raises KeyError where one is missing."""

    text: str
    value: object
    limit: float
    unit: str = "x"
    at_least: bool = False


@dataclass
class Work:
    name: str
    engine: str
    contenders: list
    goals: list = field(default_factory=list)
    needs: tuple = ()  # of INPUTS
    databases: tuple = ("shop",)
    times: int = 1  # as many runs as others, where one takes no time
    result: str = ""  # how a result is checked: "archive" by `dbhaul verify`, "target" by comparing it with `shop`


def ratio(ours, peer, what="wall"):
    return lambda results: results[ours].median(what) / results[peer].median(what)


def wall(ours, peer, limit):
    return Goal(f"{ours}, against {peer}", ratio(ours, peer), limit)


def own(ours, gigabytes, limit=6):
    """CPU of dbhaul itself, in seconds for each GB of SQL, and its memory."""
    value = lambda r: r[ours].median("own_cpu") / gigabytes
    return [Goal(f"{ours}: CPU of dbhaul itself, for a GB of SQL", value, limit, " s"), memory(ours)]


def add_isal(dump, gigabytes):
    """The same dumps by a dbhaul that was built with ISA-L: the same goals, and its own for CPU."""
    for one in [contender for contender in dump.contenders if contender.ours]:
        isal = f"{one.name}, ISA-L"
        dump.contenders.append(Contender(isal, one.command.replace("dbhaul", "dbhaul-isal", 1), one.may_refuse))
        against = f"{one.name}, against "
        dump.goals += [wall(isal, goal.text.removeprefix(against), goal.limit)
                       for goal in dump.goals if goal.text.startswith(against)]
        dump.goals += own(isal, gigabytes, 3.2)


def memory(ours):
    return Goal(f"{ours}: memory of dbhaul itself", lambda r: r[ours].most("own_peak") / 2**20, 64, " MiB")


def no_disk(ours):
    """Blocks are written whole, and a header twice: 64 kB are none."""
    def value(results):
        return max(0, results[ours].median("written") - results[ours].median("size") - 65_536) / 1e6
    return Goal(f"{ours}: disk beside the archive", value, 0.0, " MB")


# What contenders read, made before their turns and not measured.
INPUTS = {
    (POSTGRES, "archive"): "dbhaul dump env:SHOP -o $KEEP/archive/",
    (POSTGRES, "dump"): "pg_dump -Fc -Z0 --file $KEEP/dump/shop.pgsql",
    (POSTGRES, "compressed"): "pg_dump -Fc --file $KEEP/compressed/shop.pgsql",
    (MYSQL, "archive"): "dbhaul dump env:SHOP -o $KEEP/archive/",
    (MYSQL, "dump"): "mysqldump --defaults-file=$CNF --single-transaction --no-tablespaces shop > $KEEP/dump/shop.sql",
    (MYSQL, "folder"): "mydumper --defaults-file $CNF -B shop -t 2 -o $KEEP/folder",
}

TUNED = "PGOPTIONS='-c maintenance_work_mem=512MB -c synchronous_commit=off'"
MYSQLDUMP = "mysqldump --defaults-file=$CNF --single-transaction --no-tablespaces --routines --events"
MARIADB_DUMP = "mariadb-dump --defaults-file=$CNF --single-transaction --no-tablespaces --routines --events"
MYDUMPER = "mydumper --defaults-file $CNF -B shop -t 2 -o $OUT/dump"


def all_work(gigabytes, isal=False):
    """`gigabytes`: of SQL in `shop`, by engine; 0 where that is not known yet. `isal`: by the other encoder, too."""
    pg, my = (max(gigabytes.get(engine, 0), 1e-9) for engine in (POSTGRES, MYSQL))
    one, two = "dbhaul dump", "dbhaul dump --jobs 2"
    back, back2 = "dbhaul restore", "dbhaul restore --jobs 2"
    file2 = "dbhaul restore --jobs 2, a mysqldump file"
    works = [
        Work("PostgreSQL dump", POSTGRES, [
            Contender(one, "dbhaul dump env:SHOP -o $OUT/"),
            Contender(two, "dbhaul dump --jobs 2 env:SHOP -o $OUT/", may_refuse=True),
            Contender("pg_dump -Fc -Z0 > /dev/null", "pg_dump -Fc -Z0 > /dev/null"),
            Contender("pg_dump -Fp > /dev/null", "pg_dump -Fp > /dev/null"),
            Contender("pg_dump -Fc --file", "pg_dump -Fc --file $OUT/dump"),
            Contender("pg_dump -Fd -j2", "pg_dump -Fd -j2 --file $OUT/dump"),
            Contender("pg_dump -Fd -j2 -Z0", "pg_dump -Fd -j2 -Z0 --file $OUT/dump"),
            Contender("pg_dump | gzip", "pg_dump | gzip > $OUT/dump"),
            Contender("pg_dump | pigz", "pg_dump | pigz > $OUT/dump"),
            Contender("pg_dump | zstd", "pg_dump | zstd -q > $OUT/dump"),
        ], [
            wall(one, "pg_dump -Fc -Z0 > /dev/null", 1.08),
            wall(one, "pg_dump -Fc --file", 0.45),
            wall(two, "pg_dump -Fd -j2 -Z0", 1.3),
            wall(two, "pg_dump -Fd -j2", 0.6),
            Goal("archive's size, against pg_dump -Fc", ratio(one, "pg_dump -Fc --file", "size"), 1.05),
            Goal("archive's size with --jobs 2, the same", ratio(two, "pg_dump -Fc --file", "size"), 1.05),
            *own(one, pg), *own(two, pg), no_disk(one), no_disk(two),
        ], result="archive"),
        Work("MySQL dump", MYSQL, [
            Contender(one, "dbhaul dump env:SHOP -o $OUT/"),
            Contender(two, "dbhaul dump --jobs 2 env:SHOP -o $OUT/", may_refuse=True),
            Contender("mysqldump > /dev/null", f"{MYSQLDUMP} shop > /dev/null"),
            Contender("mysqldump | gzip", f"{MYSQLDUMP} shop | gzip > $OUT/dump"),
            Contender("mariadb-dump > /dev/null", f"{MARIADB_DUMP} shop > /dev/null"),
            Contender("mydumper -t 2", MYDUMPER),
            Contender("mydumper -t 2 -c", f"{MYDUMPER} -c"),
        ], [
            wall(one, "mysqldump > /dev/null", 1.5),
            wall(one, "mysqldump | gzip", 0.36),
            wall(two, "mysqldump > /dev/null", 1.0),
            wall(two, "mydumper -t 2 -c", 0.55),
            Goal("archive's size, against mysqldump | gzip", ratio(one, "mysqldump | gzip", "size"), 1.05),
            *own(one, my), *own(two, my), no_disk(one), no_disk(two),
        ], result="archive"),
        Work("PostgreSQL restore", POSTGRES, [
            Contender(back, "dbhaul restore $KEEP/archive/*.tar.gz env:TARGET"),
            Contender(back2, "dbhaul restore --jobs 2 $KEEP/archive/*.tar.gz env:TARGET"),
            Contender("pg_restore -j2, tuned", f"{TUNED} pg_restore -j2 -d target $KEEP/dump/shop.pgsql"),
            Contender("pg_restore -j2", "pg_restore -j2 -d target $KEEP/compressed/shop.pgsql"),
            Contender("pg_restore -1", "pg_restore -1 -d target $KEEP/compressed/shop.pgsql"),
            Contender("pg_restore", "pg_restore -d target $KEEP/compressed/shop.pgsql"),
        ], [
            wall(back2, "pg_restore -j2, tuned", 1.05),
            memory(back), memory(back2),
        ], needs=("archive", "dump", "compressed"), result="target"),
        Work("MySQL restore", MYSQL, [
            Contender(back, "dbhaul restore $KEEP/archive/*.tar.gz env:TARGET"),
            Contender(back2, "dbhaul restore --jobs 2 $KEEP/archive/*.tar.gz env:TARGET", may_refuse=True),
            Contender(file2, "dbhaul restore --jobs 2 $KEEP/dump/shop.sql env:TARGET", may_refuse=True),
            Contender("mysql < dump.sql", "mysql --defaults-file=$CNF target < $KEEP/dump/shop.sql"),
            Contender("myloader -t 2", "myloader --defaults-file $CNF -B target -t 2 -d $KEEP/folder"),
        ], [
            wall(back2, "mysql < dump.sql", 0.4),
            wall(file2, "mysql < dump.sql", 0.4),
            wall(back2, "myloader -t 2", 0.55),
            wall(file2, "myloader -t 2", 0.55),
            memory(back), memory(back2),
        ], needs=("archive", "dump", "folder"), result="target"),
        Work("copy", POSTGRES, [
            Contender("dbhaul copy", "dbhaul copy env:SHOP env:TARGET"),
            Contender("dbhaul copy --jobs 2", "dbhaul copy --jobs 2 env:SHOP env:TARGET", may_refuse=True),
            Contender("pgcopydb, 2 jobs", "pgcopydb clone --source $SHOP --target $TARGET --dir $OUT/pgcopydb "
                      "--table-jobs 2 --index-jobs 2 --no-owner --no-acl"),
        ], [
            wall("dbhaul copy --jobs 2", "pgcopydb, 2 jobs", 1.0),
            memory("dbhaul copy"), memory("dbhaul copy --jobs 2"),
        ], result="target"),
        start_up(POSTGRES, "pg_dump", "pg_dump -Fc -Z0 nothing > /dev/null"),
        start_up(MYSQL, "mysqldump", f"{MYSQLDUMP} nothing > /dev/null"),
        verify(POSTGRES, pg),
        verify(MYSQL, my),
        tables(POSTGRES, "pg_dump", "pg_dump -Fc -Z0 tables > /dev/null"),
        tables(MYSQL, "mysqldump", f"{MYSQLDUMP} tables > /dev/null"),
        growth(POSTGRES, "pg_dump -Fc -Z0"),
        growth(MYSQL, MYSQLDUMP),
    ]
    if isal:
        add_isal(works[0], pg)
        add_isal(works[1], my)
    return works


def start_up(engine, peer, command):
    def value(results):
        return 1000 * (results["dbhaul dump"].median("wall") - results[peer].median("wall"))
    return Work(f"{engine} start-up: an empty database", engine, [
        Contender("dbhaul dump", "dbhaul dump ${SHOP%shop}nothing -o $OUT/"),
        Contender(peer, command),
    ], [Goal(f"time over {peer}", value, 50, " ms")], databases=(), times=5, result="archive")


def verify(engine, gigabytes):
    def value(results):
        return 1000 * gigabytes / results["dbhaul verify"].median("own_cpu")
    return Work(f"{engine} verify", engine, [Contender("dbhaul verify", "dbhaul verify $KEEP/archive/*.tar.gz")], [
        Goal("SQL verified in a second of one core", value, 400, " MB", at_least=True),
        memory("dbhaul verify"),
    ], needs=("archive",))


def tables(engine, peer, command):
    return Work(f"{engine} growth: many tables of 10 rows", engine, [
        Contender("dbhaul dump", "dbhaul dump ${SHOP%shop}tables -o $OUT/"),
        Contender(peer, command),
    ], [wall("dbhaul dump", peer, 1.1), memory("dbhaul dump")], databases=("tables",), result="archive")


def growth(engine, peer):
    sizes = {"1/100": "shop_100th", "1/10": "shop_10th", "all": "shop"}
    contenders = [Contender(f"dbhaul dump, {part} of the rows", f"dbhaul dump ${{SHOP%shop}}{name} -o $OUT/")
                  for part, name in sizes.items()]
    def value(results):
        return results[contenders[2].name].median("wall") / results[contenders[0].name].median("wall")
    goal = Goal("a hundred times the rows", value, 100)
    return Work(f"{engine} growth: three sizes", engine, contenders, [goal], databases=tuple(sizes.values()),
                result="archive")
