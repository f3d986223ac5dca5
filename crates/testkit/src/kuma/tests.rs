use super::*;
use crate::server::probe::{Answer, send};

const MINUTE: Duration = Duration::from_secs(60);

fn beats(kuma: &Kuma, headers: &[(&str, &str)]) -> Answer {
    let url = format!("{}/api/status-page/heartbeat/home", kuma.url());
    send("GET", &url, headers, "")
}

fn metrics(kuma: &Kuma, key: &str) -> Answer {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!(":{key}"));
    let url = format!("{}/metrics", kuma.url());
    send(
        "GET",
        &url,
        &[("Authorization", &format!("Basic {encoded}"))],
        "",
    )
}

#[test]
fn beats_are_cached_unless_the_cache_is_bypassed_or_a_beat_is_important() {
    let kuma = Kuma::start().unwrap();
    let id = kuma.add_silent("app", None);
    kuma.beat(id, State::Up, MINUTE);
    let count = |answer: &Answer| {
        answer.json()["heartbeatList"]["1"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count(&beats(&kuma, &[])), 1);
    kuma.beat(id, State::Up, Duration::ZERO);
    assert_eq!(count(&beats(&kuma, &[])), 1);
    assert_eq!(count(&beats(&kuma, &[("x-apicache-bypass", "true")])), 2);
    kuma.beat(id, State::Down, Duration::ZERO);
    let answer = beats(&kuma, &[]);
    assert_eq!(count(&answer), 3);
    let time = answer.json()["heartbeatList"]["1"][2]["time"].clone();
    let time = time.as_str().unwrap();
    assert!(
        time.len() == 23 && !time.contains('T') && !time.contains('Z'),
        "{time}"
    );
}

#[test]
fn metrics_want_a_key_and_refuse_the_61st_request_with_401() {
    let kuma = Kuma::start().unwrap();
    kuma.add("a \"b\"\n\\c", None, MINUTE);
    assert_eq!(metrics(&kuma, "uk1_wrong").status, 401);
    let answer = metrics(&kuma, kuma.key());
    let line = "monitor_status{monitor_id=\"1\",monitor_name=\"a \\\"b\\\"\\n\\\\c\",\
                monitor_type=\"http\",monitor_url=\"https://\",monitor_hostname=\"null\",\
                monitor_port=\"null\"} 1\n";
    assert!(answer.body.contains(line), "{}", answer.body);
    kuma.old();
    assert!(!metrics(&kuma, kuma.key()).body.contains("monitor_id"));
    for _ in 3..60 {
        assert_eq!(metrics(&kuma, kuma.key()).status, 200);
    }
    assert_eq!(metrics(&kuma, kuma.key()).status, 401);
}

#[test]
fn a_series_is_missing_after_a_restart_until_the_next_beat() {
    let kuma = Kuma::start().unwrap();
    let id = kuma.add_silent("app", None);
    let shown = |kuma: &Kuma| metrics(kuma, kuma.key()).body.contains("monitor_status{");
    assert!(!shown(&kuma));
    kuma.beat(id, State::Up, Duration::ZERO);
    assert!(shown(&kuma));
    kuma.restart();
    assert!(!shown(&kuma));
    kuma.beat(id, State::Up, Duration::ZERO);
    assert!(shown(&kuma));
    kuma.pause(id);
    assert!(!shown(&kuma));
}

#[test]
fn errors_are_json_and_unknown_paths_are_pages() {
    let kuma = Kuma::start().unwrap();
    let get = |path: &str| send("GET", &format!("{}{path}", kuma.url()), &[], "");
    let missing = get("/api/status-page/heartbeat/other");
    assert_eq!(
        (missing.status, missing.json()["msg"].as_str()),
        (404, Some("Not Found"))
    );
    let page = get("/api/elsewhere");
    assert_eq!(
        (page.status, page.headers["content-type"].as_str()),
        (200, "text/html; charset=utf-8")
    );
    kuma.fail_next(503, "SQLITE_BUSY", 1);
    assert_eq!(get("/api/status-page/home").status, 503);
    assert_eq!(
        get("/api/status-page/home").json()["incidents"],
        serde_json::json!([])
    );
    kuma.old();
    assert_eq!(
        get("/api/status-page/home").json().get("incident"),
        Some(&serde_json::Value::Null)
    );
}
