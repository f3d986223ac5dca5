use super::*;

/// `version=app`, with a `!` behind a deprecated one; without an app where none is said.
fn listed(text: &str) -> Vec<ChartVersion> {
    let one = |word: &str| {
        let (word, deprecated) = word
            .strip_suffix('!')
            .map_or((word, false), |word| (word, true));
        let (version, app) = word.split_once('=').map_or((word, None), |(version, app)| {
            (version, Some(app.to_owned()))
        });
        ChartVersion {
            version: version.to_owned(),
            app,
            deprecated,
        }
    };
    text.split_whitespace().map(one).collect()
}

fn told(route: Result<Route, SkipReason>) -> String {
    match route {
        Ok(Route {
            from_app,
            between,
            to,
        }) => {
            let stops = between.iter().chain([&to]);
            let stops = stops.map(|stop| format!(" > {}={}", stop.version, stop.app));
            from_app + &stops.collect::<String>()
        }
        Err(SkipReason::Refused(why)) => why,
        Err(other) => format!("{other:?}"),
    }
}

#[track_caller]
fn app(list: &str, written: &str, tag: &str, expected: &str) {
    let found = told(route("app", &listed(list), written, Asked::App(tag)));
    assert_eq!(found, expected, "{list}: {written} to {tag}");
}

#[test]
fn the_lowest_newer_chart_version_that_brings_the_app_version_is_chosen() {
    let list = "1.3.1=2.1.0 1.3.0=2.1.0 1.2.0=2.0.0 1.4.0=2.2.0 1.1.0=2.1.0";
    app(list, "1.2.0", "2.1.0", "2.0.0 > 1.3.0=2.1.0");
    app(list, "1.2.0", "v2.1.0", "2.0.0 > 1.3.0=2.1.0");
    app(list, "1.2.0", "2.1.0-apache", "2.0.0 > 1.3.0=2.1.0");
    app(
        "1.2.0=v2.0.0 1.10.0=v2.1.0",
        "1.2.0",
        "2.1.0",
        "v2.0.0 > 1.10.0=v2.1.0",
    );
    app(
        "v1.2.0=2.0.0 v1.3.0=2.1.0",
        "v1.2.0",
        "2.1.0",
        "2.0.0 > v1.3.0=2.1.0",
    );
    // It is written as it was written.
    app(
        "1.2.0=2.0.0 1.3.0=2.1.0",
        "v1.2.0",
        "2.1.0",
        "2.0.0 > v1.3.0=2.1.0",
    );
}

#[test]
fn an_app_tag_is_never_taken_for_a_chart_version() {
    app(
        "1.2.0=2.0.0 2.1.0=3.0.0",
        "1.2.0",
        "2.1.0",
        "no version of chart app newer than 1.2.0 brings app version 2.1.0; the nearest are 1.2.0 \
         (app 2.0.0) and 2.1.0 (app 3.0.0)",
    );
}

#[test]
fn where_no_version_will_do_the_nearest_two_are_named() {
    let list = "1.2.0=2.0.0 1.3.0=2.1.0 1.3.1=2.1.0 1.4.0=2.3.0 1.5.0=2.4.0";
    app(
        list,
        "1.2.0",
        "2.2.0",
        "no version of chart app newer than 1.2.0 brings app version 2.2.0; the nearest are 1.3.1 \
         (app 2.1.0) and 1.4.0 (app 2.3.0)",
    );
    app(
        list,
        "1.2.0",
        "2.5.0",
        "no version of chart app newer than 1.2.0 brings app version 2.5.0; the nearest is 1.5.0 \
         (app 2.4.0), and nothing newer is listed",
    );
    let found = route("app", &listed(list), "1.2.0", Asked::Version("1.3.9"));
    assert_eq!(
        told(found),
        "chart app has no version 1.3.9 newer than 1.2.0; the nearest are 1.3.1 (app 2.1.0) and \
         1.4.0 (app 2.3.0)"
    );
}

#[test]
fn prereleases_of_the_chart_count_only_on_one_and_deprecated_versions_never() {
    let list = "1.2.0=2.0.0 1.3.0-rc1=2.1.0 1.3.0=2.1.0";
    app(list, "1.2.0", "2.1.0", "2.0.0 > 1.3.0=2.1.0");
    let list = "1.2.0-rc1=2.0.0 1.3.0-rc1=2.1.0 1.3.0=2.1.0";
    app(list, "1.2.0-rc1", "2.1.0", "2.0.0 > 1.3.0-rc1=2.1.0");
    let list = "1.2.0=2.0.0 1.3.0=2.1.0! 1.3.1=2.1.0";
    app(list, "1.2.0", "2.1.0", "2.0.0 > 1.3.1=2.1.0");
}

#[test]
fn each_app_version_in_between_is_one_stop_and_no_stop_goes_back() {
    let list = "1.0.0=2.0.0 1.1.0=2.1.0 1.1.1=2.1.0 1.2.0=2.0.9 1.3.0=2.2.0-rc1 1.4.0=2.2.0 \
                1.5.0=2.3.0 1.6.0=2.3.0";
    app(
        list,
        "1.0.0",
        "2.3.0",
        "2.0.0 > 1.1.0=2.1.0 > 1.4.0=2.2.0 > 1.5.0=2.3.0",
    );
    // A chart version that names no app version is nothing to stop at.
    app("1.0.0=1 1.1.0 1.2.0=2", "1.0.0", "2", "1 > 1.2.0=2");
}

#[test]
fn what_is_there_or_newer_is_left() {
    app("1.2.0=2.1.0 1.3.0=2.1.0", "1.2.0", "v2.1.0", "AlreadyThere");
    app(
        "1.2.0=2.1.0 1.3.0=2.2.0",
        "1.2.0",
        "2.0.0",
        "version 1.2.0 of chart app brings app version 2.1.0, which is newer than 2.0.0; nothing \
         to do",
    );
    let list = listed("1.2.0=2.1.0 1.3.0=2.2.0");
    let found = route("app", &list, "1.2.0", Asked::Version("1.2.0"));
    assert_eq!(found, Err(SkipReason::AlreadyThere));
}

#[test]
fn a_person_names_the_chart_version_itself() {
    let list = listed("1.2.0=2.0.0 1.3.0=2.1.0 1.3.1=2.1.0 1.4.0=2.2.0");
    let found = route("app", &list, "1.2.0", Asked::Version("v1.4.0"));
    assert_eq!(told(found), "2.0.0 > 1.3.0=2.1.0 > 1.4.0=2.2.0");
    let found = route("app", &list, "1.3.0", Asked::Version("1.3.1"));
    assert_eq!(told(found), "2.1.0 > 1.3.1=2.1.0");
}

#[test]
fn what_is_written_has_to_be_one_listed_version_with_an_app_version() {
    app(
        "1.2.0=2.0.0",
        "~> 1.2",
        "2.1.0",
        "the version of chart app is written as \"~> 1.2\", which names no single version; write \
         one to have it upgraded",
    );
    app(
        "1.2.0=2.0.0",
        "1.1.0",
        "2.1.0",
        "version 1.1.0 of chart app is not in its repository any more, so nothing tells which app \
         version it brings; upgrade it by hand to one that is",
    );
    app(
        "1.2.0 1.3.0=2.1.0",
        "1.2.0",
        "2.1.0",
        "version 1.2.0 of chart app names no app version, so nothing would tell whether it is \
         live; upgrade it by hand",
    );
}
