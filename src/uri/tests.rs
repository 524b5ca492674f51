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
    let connection =
        parse("postgres://u@h/d?schema=public&pgbouncer=true&pool=5&channel_binding=require").expect("a URI");
    assert_eq!(connection.notes.len(), 4, "{:?}", connection.notes);
    for query in ["sslcrl=x", "tls_cipher=y", "require_auth=scram-sha-256", "sslmode=maybe", "ssl=perhaps"] {
        let error = parse(&format!("postgres://u@h/d?{query}")).expect_err(query);
        assert!(error.what.contains(query.split('=').next().expect("a name")), "{error}");
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
