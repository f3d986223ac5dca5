//! The spool's folder, as processes before leave it.

use tempfile::TempDir;

use super::super::line::sample;
use super::*;

const MAX: u64 = 1_000_000;

fn open(dir: &TempDir) -> Store {
    Store::open(&dir.path().join("data/spool"), MAX).unwrap()
}

fn requests(dir: &TempDir) -> PathBuf {
    dir.path().join("data/spool").join(REQUESTS)
}

/// The tags of what waits, oldest first.
fn tags(store: &Store) -> Vec<String> {
    let records = (0..).map_while(|place| store.nth(place));
    records.map(|record| record.request.tag).collect()
}

#[test]
fn what_was_put_waits_until_it_is_done_also_for_the_next_process() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir);
    for (tag, at) in [("1", 10), ("2", 20), ("3", 30)] {
        store.put(sample(tag, at)).unwrap();
    }
    drop(store);
    let mut store = open(&dir);
    assert_eq!(tags(&store), ["1", "2", "3"]);
    store.done(&sample("2", 20)).unwrap();
    assert_eq!(tags(&store), ["1", "3"]);
    drop(store);
    let mut store = open(&dir);
    assert_eq!(tags(&store), ["1", "3"]);
    assert_eq!(store.standing().records, 2);
    assert_eq!(store.standing().oldest_ms, Some(10));
    store.done(&sample("1", 10)).unwrap();
    store.done(&sample("3", 30)).unwrap();
    store.done(&sample("3", 30)).unwrap();
    assert_eq!(store.standing(), Standing::default());
    assert_eq!(fs::read(requests(&dir)).unwrap(), b"");
    store.put(sample("4", 40)).unwrap();
    drop(store);
    assert_eq!(tags(&open(&dir)), ["4"]);
}

#[test]
fn the_same_request_is_kept_once() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir);
    store.put(sample("1", 10)).unwrap();
    store.put(sample("1", 20)).unwrap();
    assert_eq!(store.nth(0), Some(sample("1", 10)));
    assert_eq!(store.nth(1), None);
}

#[test]
fn half_a_line_is_dropped_and_the_next_one_is_whole() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir);
    store.put(sample("1", 10)).unwrap();
    drop(store);
    let whole = line::write(&sample("2", 20));
    for length in [1, whole.len() / 2, whole.len() - 1] {
        let mut file = OpenOptions::new()
            .append(true)
            .open(requests(&dir))
            .unwrap();
        file.write_all(&whole[..length]).unwrap();
        let mut store = open(&dir);
        assert_eq!(tags(&store), ["1"]);
        store.put(sample("3", 30)).unwrap();
        drop(store);
        let mut store = open(&dir);
        assert_eq!(tags(&store), ["1", "3"]);
        store.done(&sample("3", 30)).unwrap();
    }
    assert!(!dir.path().join("data/spool").join(BAD).exists());
}

#[test]
fn a_damaged_line_is_set_aside_once_and_blocks_nothing() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir);
    for tag in ["1", "2", "3"] {
        store.put(sample(tag, 10)).unwrap();
    }
    drop(store);
    let line = line::write(&sample("2", 10));
    let mut bytes = fs::read(requests(&dir)).unwrap();
    let middle = line.len() + line.len() / 2;
    bytes[middle] = b'?';
    fs::write(requests(&dir), &bytes).unwrap();
    for _ in 0..2 {
        assert_eq!(tags(&open(&dir)), ["1", "3"]);
    }
    let bad = fs::read(dir.path().join("data/spool").join(BAD)).unwrap();
    assert_eq!(bad, bytes[line.len()..2 * line.len()]);
    assert!(String::from_utf8_lossy(&bad).contains("docker.io/a/b:2"));
}

#[test]
fn it_is_bounded_and_what_is_done_makes_room() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("spool");
    let length = line::write(&sample("1", 10)).len();
    let mut store = Store::open(&folder, position(3 * length)).unwrap();
    for tag in ["1", "2", "3"] {
        store.check().unwrap_or(());
        store.put(sample(tag, 10)).unwrap();
    }
    let full = |outcome| matches!(outcome, Err(SpoolError::Full(_)));
    assert!(full(store.put(sample("4", 10))));
    assert!(full(store.check()));
    // What waits already needs no room.
    store.put(sample("3", 50)).unwrap();
    store.done(&sample("2", 10)).unwrap();
    store.put(sample("5", 10)).unwrap();
    assert!(full(store.put(sample("4", 10))));
    store.done(&sample("1", 10)).unwrap();
    assert_eq!(tags(&store), ["3", "5"]);
    drop(store);
    let store = Store::open(&folder, MAX).unwrap();
    assert_eq!(tags(&store), ["3", "5"]);
    assert_eq!(store.end, position(3 * length));
}

#[test]
fn one_process_at_a_time_has_it() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let second = Store::open(&dir.path().join("data/spool"), MAX);
    let error = second.unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(store);
    open(&dir);
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("data"), "a file").unwrap();
    let error = Store::open(&dir.path().join("data/spool"), MAX).unwrap_err();
    assert!(error.to_string().contains("data/spool"), "{error}");
}
