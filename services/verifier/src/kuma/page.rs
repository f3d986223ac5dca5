//! The two answers about a status page: which monitors it shows, and how they have beaten.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{host_of, state};
use crate::ports::{Beat, Monitor, Source};

/// Puts both answers together; a monitor stands in several groups at most once.
pub(super) fn monitors(page: &Value, beats: &Value) -> Option<Vec<Monitor>> {
    let groups = page.get("publicGroupList")?.as_array()?;
    let beats = beats.get("heartbeatList")?;
    let rows = groups
        .iter()
        .filter_map(|group| group.get("monitorList")?.as_array())
        .flatten();
    let mut found: Vec<Monitor> = Vec::new();
    for row in rows {
        let Some(id) = row.get("id").and_then(Value::as_u64) else {
            continue;
        };
        if found.iter().any(|known| known.id == Some(id)) {
            continue;
        }
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let of_it = beats.get(id.to_string()).and_then(Value::as_array);
        let of_it = of_it.map(Vec::as_slice).unwrap_or_default();
        let last = of_it.last().and_then(|beat| beat.get("status")?.as_i64());
        found.push(Monitor {
            id: Some(id),
            name: text("name").to_owned(),
            host: host_of(text("url")).map(str::to_owned),
            last: last.and_then(state),
            beats: of_it.iter().filter_map(beat).collect(),
            mark: String::new(),
            source: Source::Page,
        });
    }
    Some(found)
}

fn beat(row: &Value) -> Option<Beat> {
    // UTC, without saying so.
    let time: DateTime = row.get("time")?.as_str()?.parse().ok()?;
    let at = time.to_zoned(TimeZone::UTC).ok()?;
    Some(Beat {
        at_ms: at.timestamp().as_millisecond(),
        state: state(row.get("status")?.as_i64()?)?,
    })
}

#[cfg(test)]
mod tests {
    use job::MonitorState::{Down, Up};
    use serde_json::json;

    use super::*;

    #[test]
    fn beats_are_read_as_utc_and_a_monitor_in_two_groups_once() {
        let row = json!({"id": 3, "name": "App", "sendUrl": true, "type": "http",
                         "url": "https://app.example.org/"});
        let page = json!({"config": {}, "incident": null, "publicGroupList": [
            {"id": 1, "monitorList": [row, {"id": 4, "name": "Silent", "type": "push"}]},
            {"id": 2, "monitorList": [row]},
        ]});
        let beats = json!({"uptimeList": {}, "heartbeatList": {"4": [], "3": [
            {"status": 1, "time": "2026-01-02 03:04:05.678", "msg": "", "ping": 3},
            {"status": 9, "time": "2026-01-02 03:05:05.678", "msg": "", "ping": null},
            {"status": 0, "time": "2026-01-02 03:06:05", "msg": "", "ping": null},
        ]}});
        let found = monitors(&page, &beats).unwrap();
        assert_eq!(found.len(), 2);
        let app = &found[0];
        assert_eq!(
            (app.id, app.last, app.host.as_deref()),
            (Some(3), Some(Down), Some("app.example.org"))
        );
        let expected = [(1_767_323_045_678, Up), (1_767_323_165_000, Down)];
        assert_eq!(
            app.beats,
            expected.map(|(at_ms, state)| Beat { at_ms, state })
        );
        assert_eq!((found[1].last, found[1].beats.as_slice()), (None, &[][..]));
    }

    #[test]
    fn an_answer_of_another_shape_is_none() {
        let page = json!({"publicGroupList": []});
        assert_eq!(monitors(&json!({}), &json!({"heartbeatList": {}})), None);
        assert_eq!(monitors(&page, &json!({"status": "fail"})), None);
        assert_eq!(
            monitors(&page, &json!({"heartbeatList": {}})),
            Some(Vec::new())
        );
    }
}
