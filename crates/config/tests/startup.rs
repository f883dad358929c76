//! The command line and configuration files, as redis-server takes them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use stoa_config::{Config, Driver, Launch, Startup, load};

type Files<'a> = &'a [(&'a str, &'a str)];

fn start(args: &[&str], files: Files<'_>) -> Result<Startup, String> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let files: BTreeMap<&Path, &str> =
        files.iter().map(|&(path, text)| (Path::new(path), text)).collect();
    let mut read = |path: &Path| {
        let found = files.get(path).map(|&text| text.to_owned());
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "No such file or directory"))
    };
    load(&args, &mut read).map_err(|error| error.to_string())
}

fn launch(args: &[&str], files: Files<'_>) -> Launch {
    match start(args, files) {
        Ok(Startup::Serve(launch)) => *launch,
        other => panic!("{args:?}: {other:?}"),
    }
}

fn show(config: &Config, name: &str) -> String {
    String::from_utf8(config.value(name).expect("a directive")).expect("text")
}

#[test]
fn the_command_line_is_that_of_redis_server() {
    let config = launch(
        &[
            "--port",
            "7000",
            "--bind",
            "127.0.0.1",
            "::1",
            "--dir",
            "D",
            "--save",
            "",
            "--requirepass",
            "x",
            "--logfile",
            "F",
            "--enable-debug-command",
            "yes",
            "--shards",
            "2",
            "--driver",
            "poll",
            "--MAXCLIENTS",
            "5",
        ],
        &[],
    )
    .config;
    assert_eq!(config.port, 7000);
    assert_eq!(*config.bind, [Box::from(*b"127.0.0.1"), Box::from(*b"::1")]);
    assert_eq!(*config.dir, *b"D");
    assert_eq!(config.requirepass.as_deref(), Some(&b"x"[..]));
    assert_eq!(config.log_file.as_deref(), Some(&b"F"[..]));
    assert_eq!((config.shards, config.driver, config.maxclients), (2, Driver::Poll, 5));
    assert_eq!(show(&config, "save"), "");
    assert_eq!(show(&config, "enable-debug-command"), "yes");
}

#[test]
fn nothing_given_is_the_default() {
    let started = launch(&[], &[]);
    assert_eq!(started.config.get(&[b"*"]), Config::default().get(&[b"*"]));
    assert_eq!(started.config_file, None);
}

#[test]
fn version_and_help_stand_alone() {
    assert!(matches!(start(&["-v"], &[]), Ok(Startup::PrintVersion)));
    assert!(matches!(start(&["--version"], &[]), Ok(Startup::PrintVersion)));
    assert!(matches!(start(&["-h"], &[]), Ok(Startup::PrintHelp)));
    assert!(matches!(start(&["--help"], &[]), Ok(Startup::PrintHelp)));
}

#[test]
fn options_override_standard_input_which_overrides_the_file() {
    let files: Files<'_> = &[
        ("a.conf", "port 1\nmaxclients 11\ntimeout 111\nhz 20\nhz 21\n"),
        ("-", "maxclients 22\ntimeout 222\n"),
    ];
    for args in [
        &["a.conf", "-", "--timeout", "333"][..],
        &["a.conf", "--timeout", "333", "-"][..],
        &["a.conf", "-", "--timeout", "1", "--timeout", "333"][..],
    ] {
        let started = launch(args, files);
        let config = started.config;
        assert_eq!((config.port, config.maxclients, config.timeout_s), (1, 22, 333), "{args:?}");
        assert_eq!(config.hz, 21, "the later line");
        assert_eq!(started.config_file, Some(PathBuf::from("a.conf")));
    }
    assert_eq!(launch(&["-"], files).config.maxclients, 22);
}

#[test]
fn files_include_files() {
    let files: Files<'_> = &[
        ("a.conf", "port 1\ninclude b.conf\ntimeout 3\n"),
        ("b.conf", "port 2\ntimeout 2\n# nothing\n\n\tMAXCLIENTS\t\"7\" \r\n"),
        ("loop.conf", "include loop.conf\n"),
        ("glob.conf", "include /etc/*.conf\n"),
    ];
    let config = launch(&["a.conf"], files).config;
    assert_eq!((config.port, config.timeout_s, config.maxclients), (2, 3, 7));
    assert!(start(&["loop.conf"], files).expect_err("a circle").contains("look for a circle"));
    assert!(start(&["glob.conf"], files).expect_err("a glob").contains("by its name"));
}

#[test]
fn save_points_add_up_over_lines_and_an_empty_one_forgets() {
    for (text, want) in [
        ("", "3600 1 300 100 60 10000"),
        ("save 900 1\nsave 300 10\n", "900 1 300 10"),
        ("save 900 1 300 10\n", "900 1 300 10"),
        ("save \"\"\n", ""),
        ("save 900 1\nsave\n", ""),
        ("save 900 1\nsave \"\"\nsave 5 5\n", "5 5"),
    ] {
        let config = launch(&["a.conf"], &[("a.conf", text)]).config;
        assert_eq!(show(&config, "save"), want, "{text:?}");
    }
    let config = launch(&["a.conf", "--save"], &[("a.conf", "save 1 1\n")]).config;
    assert_eq!(show(&config, "save"), "", "a bare --save is never");
    let config = launch(&["--save", "900", "1", "--save", "300 10"], &[]).config;
    assert_eq!(show(&config, "save"), "900 1 300 10");
}

#[test]
fn limits_of_classes_not_named_stay() {
    let text =
        "client-output-buffer-limit normal 1mb 1kb 2\nclient-output-buffer-limit pubsub 1 2 3";
    let config = launch(&["a.conf"], &[("a.conf", text)]).config;
    assert_eq!(
        show(&config, "client-output-buffer-limit"),
        "normal 1048576 1024 2 slave 268435456 67108864 60 pubsub 1 2 3"
    );
}

#[test]
fn a_secret_may_start_with_dashes() {
    let config = launch(&["--requirepass", "--x y", "--port", "1"], &[]).config;
    assert_eq!(config.requirepass.as_deref(), Some(&b"--x y"[..]));
    assert_eq!(config.port, 1);
}

#[test]
fn name_and_value_may_come_in_one_argument_and_without_dashes() {
    let files: Files<'_> = &[("a.conf", "port 1\n")];
    for args in [
        &["a.conf", "--maxmemory 700mb", "--loglevel verbose"][..],
        &["a.conf", "loglevel", "verbose", "--maxmemory '700mb'"],
        &["a.conf", "--LOGLEVEL", "verbose", "--maxmemory", "700mb"],
    ] {
        let config = launch(args, files).config;
        assert_eq!(show(&config, "maxmemory"), "734003200", "{args:?}");
        assert_eq!(show(&config, "loglevel"), "verbose", "{args:?}");
    }
    for args in [
        &["--proc-title-template", "--my--title", "--save", "--port", "7"][..],
        &["--proc-title-template --my--title", "--port 7", "--save"],
        &["--proc-title-template", "--my--title", "--port", "7", "--save", ""],
        &["--save", "", "--proc-title-template", "--my--title", "--port", "7"],
    ] {
        let config = launch(args, &[]).config;
        assert_eq!(show(&config, "proc-title-template"), "--my--title", "{args:?}");
        assert_eq!((show(&config, "save"), config.port), (String::new(), 7), "{args:?}");
    }
    let config =
        launch(&["--proc-title-template", "--save", "--save", "", "--port", "7"], &[]).config;
    assert_eq!(show(&config, "proc-title-template"), "--save");
    assert_eq!((show(&config, "save"), config.port), (String::new(), 7));
}

/// Each error says where, shows what was written, and says what is wrong in Redis's words.
#[test]
fn an_error_says_where_what_and_what_next() {
    let file = |text| start(&["a.conf"], &[("a.conf", text)]).expect_err(text);
    let cases = [
        (
            file("port 1\nport abc"),
            "line 2",
            ">>> 'port abc'",
            "couldn't be parsed into an integer",
        ),
        (file("\n\nport 1 2"), "line 3", ">>> 'port 1 2'", "wrong number of arguments"),
        (file("port"), "line 1", ">>> 'port'", "wrong number of arguments"),
        (file("maxclient 3"), "line 1", ">>> 'maxclient 3'", "did you mean `maxclients`?"),
        (file("foo bar"), "line 1", ">>> 'foo bar'", "Bad directive or wrong number of arguments"),
        (file("requirepass \"abc"), "line 1", ">>> 'requirepass <hidden>'", "Unbalanced quotes"),
        (file("save 1"), "line 1", ">>> 'save 1'", "Invalid save parameters"),
        (file("daemonize maybe"), "line 1", ">>> 'daemonize maybe'", "must be 'yes' or 'no'"),
        (file("user default on"), "line 1", ">>> 'user default on'", "use requirepass"),
        (file("include b.conf"), "line 1", ">>> 'include b.conf'", "No such file or directory"),
    ];
    for (error, place, line, problem) in cases {
        for part in ["a.conf", place, line, problem, "--help"] {
            assert!(error.contains(part), "{part:?} is missing in: {error}");
        }
    }
}

#[test]
fn an_error_on_the_command_line_shows_the_option() {
    for (args, line, problem) in [
        (&["--port", "abc"][..], ">>> 'port \"abc\"'", "couldn't be parsed into an integer"),
        (&["--port"][..], ">>> 'port'", "wrong number of arguments"),
        (&["--port", "1", "--loglevel"][..], ">>> 'loglevel'", "wrong number of arguments"),
        (&["--port", "1", "2"][..], ">>> 'port \"1\" \"2\"'", "wrong number of arguments"),
        (
            &["--port", "--loglevel", "verbose"][..],
            ">>> 'port \"--loglevel\" \"verbose\"'",
            "wrong number of arguments",
        ),
        (
            &["--port", "--bla", "--loglevel", "verbose"][..],
            ">>> 'port \"--bla\"'",
            "couldn't be parsed into an integer",
        ),
        (&["--shutdown-on-sigint"][..], ">>> 'shutdown-on-sigint'", "must be one of the following"),
        (&["--requirepass"][..], ">>> 'requirepass <hidden>'", "wrong number of arguments"),
        (&["--foo", "bar"][..], ">>> 'foo \"bar\"'", "Bad directive"),
        (&["--prot", "1"][..], ">>> 'prot \"1\"'", "docs/CONFIGURATION.md"),
        (&["--timeout", "1", "-x"][..], ">>> 'timeout \"1\" \"-x\"'", "wrong number"),
        (&["--timeout '1"][..], ">>> 'timeout '1'", "Unbalanced quotes"),
        (&["none.conf"][..], ">>> 'none.conf'", "can't open config file 'none.conf'"),
        (&["-x"][..], ">>> '\"-x\"'", "options start with `--`"),
    ] {
        let error = start(args, &[]).expect_err(line);
        for part in ["command line", line, problem, "--help"] {
            assert!(error.contains(part), "{part:?} is missing in: {error}");
        }
    }
}

#[test]
fn no_line_however_odd_panics() {
    for seed in 0..3_000_u64 {
        let mut rng = stoa_stdx::Rng::new(seed);
        let mut text = String::new();
        for _ in 0..rng.below(8) {
            let pieces = [
                "save",
                "bind",
                "client-output-buffer-limit",
                "notify-keyspace-events",
                "hz",
                "replicaof",
                "maxmemory-clients",
                "oom-score-adj-values",
                "shutdown-on-sigint",
                " ",
                " ",
                " ",
                "\n",
                "\"",
                "'",
                "\\x0",
                "5%",
                "%",
                "1",
                "-1",
                "999999999999999999999",
                "kb",
                "\u{fffd}",
                "\0",
                "no one",
                "normal",
                "include",
                "-",
                "nan",
                "inf",
            ];
            text.push_str(rng.pick::<&str>(&pieces));
        }
        // Whether it loads is not the question here.
        let _ = start(&["a.conf"], &[("a.conf", &text)]);
        let words: Vec<&str> = text.split(' ').collect();
        let _ = start(&words, &[]);
    }
}
