use proptest::prelude::*;

use super::*;
use crate::secret::percent_encode;

fn password(uri: &str) -> String {
    parse(uri).expect(uri).password.expect(uri).expose().to_owned()
}

#[test]
fn row_15_passwords_may_hold_what_libpq_lets_them_hold() {
    for (uri, expected) in [
        ("postgres://u:p#w@h/d", "p#w"),
        ("postgres://u:p?w@h/d", "p?w"),
        ("postgres://u:p+w@h/d", "p+w"),
        ("postgres://u:p%w@h/d", "p%w"),
        ("postgres://u:p%2Fw%40%25@h/d", "p/w@%"),
        ("postgres://u:p:w@h/d", "p:w"),
        ("postgres://u:p@w@h/d", "p@w"),
        ("mysql://u:p%C3%A4#?+%@h/d", "pä#?+%"),
    ] {
        assert_eq!(password(uri), expected, "{uri}");
    }
}

#[test]
fn a_taken_liberty_is_said() {
    let notes = parse("postgres://u:p@w%@h/d").expect("a URI").notes;
    assert!(notes.iter().any(|n| n.contains("last @")), "{notes:?}");
    assert!(notes.iter().any(|n| n.contains("raw %")), "{notes:?}");
}

#[test]
fn hosts_in_every_form() {
    let tcp = |name: &str, port| Host::Tcp { name: name.into(), port };
    for (uri, expected) in [
        ("postgres://u@Db.Example.COM/d", tcp("Db.Example.COM", 5432)),
        ("POSTGRESQL://u@h_1:1/d", tcp("h_1", 1)),
        ("mysql2://u@h/d", tcp("h", 3306)),
        ("MariaDB://u@[::1]:3307/d", tcp("::1", 3307)),
        ("postgres://u@[fe80::1]/d", tcp("fe80::1", 5432)),
        ("postgres://u@%2Frun%2Fpostgresql/d", Host::Socket { path: "/run/postgresql".into(), port: 5432 }),
        ("postgres:///d?host=/tmp&user=u&port=7", Host::Socket { path: "/tmp".into(), port: 7 }),
        (
            "mysql://u@/d?socket=/run/mysqld/mysqld.sock",
            Host::Socket { path: "/run/mysqld/mysqld.sock".into(), port: 3306 },
        ),
    ] {
        assert_eq!(parse(uri).expect(uri).host, expected, "{uri}");
    }
}

#[test]
fn row_17_tls_in_every_dialect() {
    use TlsMode::{Off, Prefer, Require, VerifyCa, VerifyFull};
    for (query, expected) in [
        ("", Prefer),
        ("sslmode=disable", Off),
        ("sslmode=verify-full", VerifyFull),
        ("sslmode=no-verify", Require),
        ("ssl=false", Off),
        ("ssl=true", Require),
        ("ssl-mode=REQUIRED", Require),
        ("ssl_mode=VERIFY_IDENTITY", VerifyFull),
        ("sslMode=VERIFY_CA&useSSL=true", VerifyCa),
        ("useSSL=true&verifyServerCertificate=false", Require),
        ("verifyServerCertificate=true&useSSL=true", VerifyCa),
        ("useSSL=false&verifyServerCertificate=true", Off),
        ("sslaccept=strict", VerifyFull),
        ("tls=skip-verify", Require),
        ("ssl={%22rejectUnauthorized%22:true}", VerifyFull),
        ("ssl={\"rejectUnauthorized\": false}", Require),
        ("rejectUnauthorized=true", VerifyFull),
    ] {
        for scheme in ["postgres", "mysql"] {
            let uri = format!("{scheme}://u@h/d?{query}");
            assert_eq!(parse(&uri).expect(&uri).tls.mode, expected, "{uri}");
        }
    }
}

#[test]
fn row_16_parameters_of_orms_are_dropped_with_a_note_and_unknown_tls_is_refused() {
    let connection = parse("postgres://u@h/d?schema=public&pgbouncer=true&pool=5&sslsni=0").expect("a URI");
    assert_eq!(connection.notes.len(), 4, "{:?}", connection.notes);
    for query in ["sslcrl=x", "tls_cipher=y", "require_auth=sspi", "sslmode=maybe", "ssl=perhaps"] {
        let error = parse(&format!("postgres://u@h/d?{query}")).expect_err(query);
        assert!(error.what.contains(query.split('=').next().expect("a name")), "{error}");
    }
}

#[test]
fn rules_for_the_login_are_kept_and_what_cannot_be_kept_is_refused() {
    use crate::connection::ChannelBinding;
    let login = |text: &str| parse(text).map(|connection| connection.login);
    for (uri, string) in [
        ("postgres://u@h/d?gssencmode=prefer", "host=h user=u dbname=d gssencmode=prefer"),
        ("postgres://u@h/d?gssencmode=disable", "host=h user=u dbname=d gssencmode=disable"),
        ("postgres://u@h/d?channel_binding=require", "host=h user=u dbname=d channel_binding=require"),
        ("postgres://u@h/d?channelBinding=disable", "host=h user=u dbname=d channel_binding=disable"),
        (
            "postgres://u@h/d?sslmode=require&sslnegotiation=direct",
            "host=h user=u dbname=d sslmode=require sslnegotiation=direct",
        ),
    ] {
        let wanted = LoginRules {
            gss_encryption: uri.contains("prefer"),
            channel_binding: match uri {
                _ if uri.contains("=require&") => None,
                _ if uri.contains("=require") => Some(ChannelBinding::Require),
                _ if uri.contains("channelBinding") => Some(ChannelBinding::Disable),
                _ => None,
            },
            direct_tls: uri.contains("direct"),
            require_auth: None,
        };
        assert_eq!(login(uri).expect(uri), wanted);
        assert_eq!(login(string).expect(string), wanted);
    }
    for (rule, allowed) in [
        ("scram-sha-256", vec!["scram-sha-256"]),
        ("password,md5", vec!["password", "md5"]),
        ("!password,!none", vec!["md5", "scram-sha-256"]),
    ] {
        let kept = login(&format!("postgres://u@h/d?require_auth={rule}")).expect(rule).require_auth.expect(rule);
        assert_eq!(kept.to_string(), rule);
        let methods = ["password", "md5", "scram-sha-256", "none"];
        assert_eq!(methods.into_iter().filter(|method| kept.allows(method)).collect::<Vec<_>>(), allowed);
    }
    for refused in [
        "gssencmode=require",
        "gssencmode=perhaps",
        "channel_binding=perhaps",
        "sslnegotiation=direct",
        "sslnegotiation=perhaps",
        "require_auth=gss",
        "require_auth=scram-sha-256,!md5",
        "require_auth=geheim",
    ] {
        for text in [format!("postgres://u@h/d?{refused}"), format!("host=h user=u dbname=d {refused}")] {
            let error = parse(&text).expect_err(&text);
            assert_eq!(error.kind, Kind::Config);
            assert!(error.what.contains(refused.split('=').next().expect("a name")), "{error}");
        }
    }
}

#[test]
fn pairs_of_libpq_are_read_as_libpq_reads_them() {
    for (text, password) in [
        ("host=h user=u password=geheim dbname=d", Some("geheim")),
        ("  user = u\n dbname='d'  host=h password = 'ge heim' ", Some("ge heim")),
        (r"host=h user=u dbname=d password='it\'s \\ here'", Some(r"it's \ here")),
        (r"host=h user=u dbname=d password=it\'s\ one", Some("it's one")),
        ("host=h user=u dbname=d password=a;b=c@d:e://f%41", Some("a;b=c@d:e://f%41")),
        ("host=h user=u dbname=d password=''", None),
        ("host=h user=u dbname=d connect_timeout=5 application_name='my app' keepalives=1", None),
    ] {
        let read = parse(text).expect(text);
        assert_eq!((read.user.as_str(), read.database.as_str()), ("u", "d"), "{text}");
        assert_eq!(read.host, Host::Tcp { name: "h".into(), port: 5432 });
        assert_eq!(read.password.as_ref().map(Secret::expose), password, "{text}");
        let stars = if password.is_some() { ":****" } else { "" };
        assert_eq!(redact(text), format!("postgresql://u{stars}@h:5432/d"));
    }
    let read =
        parse("hostaddr=127.0.0.1 port=7 user=u dbname=d sslmode=verify-full sslrootcert=/ca.pem").expect("read");
    assert_eq!(read.host, Host::Tcp { name: "127.0.0.1".into(), port: 7 });
    assert_eq!((read.tls.mode, read.tls.ca), (TlsMode::VerifyFull, Some("/ca.pem".into())));
    let socket = parse("host=/run/postgresql user=u dbname=d").expect("read");
    assert_eq!(socket.host, Host::Socket { path: "/run/postgresql".into(), port: 5432 });
}

#[test]
fn data_source_names_of_go_are_read_as_go_reads_them() {
    let tcp = |name: &str, port| Host::Tcp { name: name.into(), port };
    for (text, host, password) in [
        ("u:geheim@tcp(h:3307)/d", tcp("h", 3307), Some("geheim")),
        ("u:ge@he/im:%41@tcp(h)/d?parseTime=true&loc=US%2FPacific", tcp("h", 3306), Some("ge@he/im:%41")),
        ("u:ge://heim@tcp([::1]:3307)/d?charset=utf8mb4,utf8", tcp("::1", 3307), Some("ge://heim")),
        ("u:geheim@/d?loc=US/Pacific", tcp("127.0.0.1", 3306), Some("geheim")),
        ("u@tcp/d", tcp("127.0.0.1", 3306), None),
        (
            "u:geheim@unix(/run/mysqld/mysqld.sock)/d",
            Host::Socket { path: "/run/mysqld/mysqld.sock".into(), port: 3306 },
            Some("geheim"),
        ),
    ] {
        let read = parse(text).expect(text);
        assert_eq!(read.dialect, Dialect::MYSQL, "{text}");
        assert_eq!((read.user.as_str(), read.database.as_str()), ("u", "d"), "{text}");
        assert_eq!(read.host, host, "{text}");
        assert_eq!(read.password.as_ref().map(Secret::expose), password, "{text}");
        assert!(!redact(text).contains("heim"), "{}", redact(text));
    }
    for (tls, mode) in [
        ("true", TlsMode::VerifyFull),
        ("false", TlsMode::Off),
        ("skip-verify", TlsMode::Require),
        ("preferred", TlsMode::Prefer),
    ] {
        assert_eq!(parse(&format!("u:p@tcp(h)/d?tls={tls}")).expect(tls).tls.mode, mode, "{tls}");
    }
    assert_eq!(parse("u:p@tcp(h)/d?tls=my-config").expect_err("a name of a program's own").kind, Kind::Config);
}

#[test]
fn a_string_with_semicolons_names_no_engine() {
    for text in [
        "Server=h;Database=d;User Id=u;Password=geheim;",
        "Data Source=h,1433;Initial Catalog=d;UID=u;PWD=geheim",
        "host=h;port=3306;username=u;password=geheim;database=d",
        "Driver={PostgreSQL};Server=h;Uid=u;Pwd=geheim;",
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind, Kind::Config);
        let said = format!("{error} {:?}", error.hints);
        assert!(said.contains("postgres://USER:PASSWORD@") && said.contains("mysql://USER:PASSWORD@"), "{said}");
        assert!(!said.contains("geheim") && redact(text) == STARS, "{said}");
        assert!(is_connection(text));
    }
}

#[test]
fn a_string_that_cannot_be_read_is_not_repeated() {
    for text in [
        "host=h user=u password=geheim heim dbname=d",
        "host=h user=u password=geheim heim=d dbname=d",
        "host=h user=u password='geheim dbname=d",
        "password=geheim",
        "host=h user=u password=geheim",
        "host=h user=u password=geheim dbname=postgres://u:geheim@h/d",
        "host=a,b user=u password=geheim dbname=d",
        "host=h port=geheim user=u dbname=d",
        "Host=h user=u password=geheim",
        "u:geheim@tcp(h:x)/d",
        "u:geheim@tcp(h:1)/",
        "u:geheim@tcp(h:1)",
        "u:geheim@udp(h:1)/d",
        "ge:heim",
        "geheim",
        "x=geheim://u@h/d",
        "postgres://u:geheim@h/d\npostgres://u:geheim@h/d",
        "postgres://u@h/?dbname=mysql://u:geheim@h/d",
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind, Kind::Config, "{text}");
        let said = format!("{error} {:?} {}", error.hints, redact(text));
        assert!(!said.contains("heim"), "{text}: {said}");
    }
    for path in ["backup(1)/x.tar.gz", "a@home(2)/x", "dir@/x.tar.gz", "user=me.tar.gz", "a;b.sql", "s3://b/x", "-"] {
        assert!(!is_connection(path), "{path}");
    }
}

#[test]
fn what_is_wrong_is_named_and_the_secret_is_not() {
    for (uri, expected) in [
        ("postgres://u:geheim@h:99999/x", "the port 99999"),
        ("postgres://u:geheim@h:0/x", "the port 0"),
        ("postgis://u:geheim@h/x", "unknown scheme \"postgis\""),
        ("postgres://u:geheim@h", "names no database"),
        ("postgres://u:geheim@h/", "names no database"),
        ("postgres://:geheim@h/x", "names no user"),
        ("postgres://u:geheim@/x", "names no host"),
        ("postgres://u:geheim@a,b/x", "several hosts"),
        ("postgres://u:geheim@::1/x", "brackets"),
        ("postgres://u:ge/heim@h/x", "%2F"),
        ("u:geheim@h/x", "no scheme"),
        ("postgres://h/x?user=u&password=geheim&sslcrl=1", "sslcrl"),
        ("postgres://u:geheim@h/x%00", "zero byte"),
    ] {
        let error = parse(uri).expect_err(uri);
        assert_eq!(error.kind, Kind::Config);
        assert!(error.what.contains(expected), "{uri}: {error}");
        assert!(!error.to_string().contains("heim"), "{uri}: {error}");
    }
}

#[test]
fn a_connection_shows_no_password() {
    let connection = parse("mysql://shop:geheim@[::1]:3307/my%20db?useSSL=true").expect("a URI");
    assert_eq!(connection.to_string(), "mysql://shop:****@[::1]:3307/my%20db");
    assert!(!format!("{connection:?}").contains("geheim"));
}

#[test]
fn prefixes_of_drivers_are_dropped_with_a_note() {
    let connection = parse("jdbc:postgresql://h/d?user=u").expect("a URI");
    assert_eq!(connection.notes.len(), 1);
    assert_eq!(parse("mysql+pymysql://u@h/d").expect("a URI").notes.len(), 1);
}

proptest! {
    #[test]
    fn whatever_is_percent_encoded_comes_back(user in "\\PC{1,20}", password in "\\PC{1,40}", database in "\\PC{1,20}") {
        let uri = format!("postgres://{}:{}@h:1/{}", percent_encode(&user), percent_encode(&password), percent_encode(&database));
        let connection = parse(&uri).expect("a URI");
        prop_assert_eq!(connection.user, user);
        prop_assert_eq!(connection.password, Some(Secret::new(password)));
        prop_assert_eq!(connection.database, database);
    }

    #[test]
    fn a_raw_password_without_slash_or_hex_comes_back(password in "[a-zA-Z0-9#?+:@!$&'()*,;=~ .%-]{1,30}") {
        prop_assume!(!password.as_bytes().windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit()));
        let uri = format!("mysql://u:{password}@h/d");
        prop_assert_eq!(parse(&uri).expect("a URI").password, Some(Secret::new(password)));
    }

    #[test]
    fn nothing_panics_and_no_error_repeats_a_password(text in "\\PC*", tail in "[a-z0-9:/?#%\\[\\],@]{0,20}") {
        let _ = parse(&text);
        let _ = parse(&format!("postgres://{text}"));
        if let Err(error) = parse(&format!("postgres://u:Xgeheim9@{tail}")) {
            prop_assert!(!error.to_string().contains("geheim"), "{}", error);
        }
    }
}
