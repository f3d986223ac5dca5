//! What comes in at the webhook, and what is answered.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bus::Log as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::{Ingest, SECRET, bulk, native};

#[tokio::test]
async fn what_diun_and_the_bulk_loop_send_opens_upgrades() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let body = native("docker.io/vaultwarden/server", "1.36.0", "new");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(11));
    assert!(body.to_string().len() > 30_000);
    let answer = ingest.post(&body).await?;
    assert_eq!(answer.decision(), (202, "accepted"));
    let keys: Vec<&String> = answer
        .body
        .as_object()
        .into_iter()
        .flat_map(|body| body.keys())
        .collect();
    assert_eq!(keys, ["decision", "reason", "upgrade"]);
    assert!(!answer.text("reason").is_empty());
    let history = ingest.log.read(&answer.id()?).await?;
    let request = history.map(|history| history.state.request);
    let request = request.map(|request| (request.image, request.tag, request.status));
    let expected = ("docker.io/vaultwarden/server", "1.36.0", "new");
    let expected = (
        expected.0.to_owned(),
        expected.1.to_owned(),
        expected.2.to_owned(),
    );
    assert_eq!(request, Some(expected));

    // The default method of DIUN, without a content type.
    let text = native("ghcr.io/o/r", "v2.1.0", "update").to_string();
    let get = ingest.client.get(ingest.url(SECRET)).body(text);
    assert_eq!(ingest.send(get).await?.decision(), (202, "accepted"));
    let text = native("ghcr.io/o/r", "v2.2.0", "update").to_string();
    let post = ingest.client.post(ingest.url(SECRET)).body(text);
    assert_eq!(ingest.send(post).await?.decision(), (202, "accepted"));

    let answer = ingest
        .post(&bulk("shlinkio/shlink", "4.4.6", "update"))
        .await?;
    assert_eq!(answer.decision(), (202, "accepted"));
    let answer = ingest
        .post(&native("reg.example.org:5000/x/y", "1.0.1", "new"))
        .await?;
    assert_eq!(answer.decision(), (202, "accepted"));
    let history = ingest.log.read(&answer.id()?).await?;
    let image = history.map(|history| history.state.request.image);
    assert_eq!(image.as_deref(), Some("reg.example.org:5000/x/y"));
    let pinned = format!("1.0.2@sha256:{}", "0b".repeat(32));
    let answer = ingest
        .post(&native("docker.io/a/b", &pinned, "new"))
        .await?;
    assert_eq!(answer.decision(), (202, "accepted"));
    Ok(())
}

#[tokio::test]
async fn an_old_diun_without_metadata_is_understood() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mut body = native("docker.io/a/b", "1.0.0", "new");
    body["metadata"] = Value::Null;
    assert_eq!(ingest.post(&body).await?.status, 202);
    if let Some(keys) = body.as_object_mut() {
        keys.remove("metadata");
        keys.remove("digest");
    }
    assert_eq!(ingest.post(&body).await?.decision(), (200, "duplicate"));
    Ok(())
}

#[tokio::test]
async fn what_is_filtered_out_is_said_and_kept() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let digest_only = format!("docker.io/a/b@sha256:{}", "0a".repeat(32));
    let mut digest_only_body = native("x", "1", "new");
    digest_only_body["image"] = json!(digest_only);
    for (body, reason) in [
        (bulk("a/b", "1.0.0", "new"), "`new`"),
        (native("docker.io/a/b", "1.0.0", "unchange"), "`unchange`"),
        (
            native("docker.io/diun/testnotif", "latest", "new"),
            "moves by itself",
        ),
        (
            native("docker.io/library/postgres", "16.4", "new"),
            "skip list",
        ),
        (native("registry.k8s.io/pause", "3.10", "new"), "skip list"),
        (digest_only_body, "no tag"),
    ] {
        let answer = ingest.post(&body).await?;
        assert_eq!(answer.decision(), (200, "skipped"), "{answer:?}");
        assert!(answer.text("reason").contains(reason), "{answer:?}");
        assert!(answer.body.get("upgrade").is_none(), "{answer:?}");
    }
    ingest
        .post(&native("docker.io/a/b", "1.0.0", "new"))
        .await?;
    ingest
        .post(&native("docker.io/a/b", "1.0.0", "new"))
        .await?;
    ingest
        .send(ingest.client.post(ingest.url(SECRET)).body("no json"))
        .await?;
    let decisions = ingest.decisions().await?;
    let words: Vec<&str> = decisions
        .iter()
        .filter_map(|kept| kept["decision"].as_str())
        .collect();
    let expected = [
        "skipped",
        "skipped",
        "skipped",
        "skipped",
        "skipped",
        "skipped",
        "accepted",
        "duplicate",
        "refused",
    ];
    assert_eq!(words, expected);
    assert!(
        decisions
            .iter()
            .all(|kept| kept["at_ms"].is_i64() && kept["reason"].is_string())
    );
    assert_eq!(decisions[6]["upgrade"], decisions[7]["upgrade"]);
    Ok(())
}

#[tokio::test]
async fn twenty_at_once_are_one_upgrade() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let body = native("docker.io/a/b", "1.0.0", "new").to_string();
    let mut posts = JoinSet::new();
    for _ in 0..20 {
        let post = ingest.client.post(ingest.url(SECRET)).body(body.clone());
        posts.spawn(async move {
            let answer = post.send().await?;
            let status = answer.status().as_u16();
            anyhow::Ok((
                status,
                serde_json::from_str::<Value>(&answer.text().await?)?,
            ))
        });
    }
    let mut accepted = 0;
    let mut ids = std::collections::BTreeSet::new();
    while let Some(ended) = posts.join_next().await {
        let (status, body) = ended??;
        match (status, body["decision"].as_str()) {
            (202, Some("accepted")) => accepted += 1,
            (200, Some("duplicate")) => {}
            other => anyhow::bail!("{other:?} {body}"),
        }
        ids.insert(body["upgrade"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!((accepted, ids.len()), (1, 1));
    let mut follow = ingest.log.follow(None).await?;
    let mut requested = 0;
    loop {
        let followed = follow.next().await?;
        requested += usize::from(followed.entry.fact.body.name() == "requested");
        if followed.pending == 0 {
            break;
        }
    }
    assert_eq!(requested, 1);
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_finds_nothing() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let body = native("docker.io/a/b", "1.0.0", "new");
    let short = SECRET.get(1..).unwrap_or_default();
    for secret in [
        short,
        "s3cret-of-the-webhooK",
        "%ff",
        "x%2Fy",
        "",
        &format!("{SECRET}x"),
        &format!("{SECRET}/x"),
    ] {
        let answer = ingest
            .send(ingest.client.post(ingest.url(secret)).json(&body))
            .await?;
        assert_eq!(answer.decision(), (404, "refused"), "{secret}");
        assert!(!answer.text("reason").contains(SECRET));
    }
    assert!(ingest.decisions().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_bad_body_is_told_what_is_wrong_and_leaves_nothing() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let no_tag = json!({"image": "docker.io/a/b", "status": "new"}).to_string();
    let mut long_digest = native("docker.io/a/b", "1.0.0", "new");
    long_digest["digest"] = json!("a".repeat(300));
    let long_digest = long_digest.to_string();
    for (body, reason) in [
        ("hello", "not JSON"),
        ("", "not JSON"),
        ("\u{0}\u{1}", "not JSON"),
        ("{}", "names no image"),
        ("[]", "names no image"),
        ("null", "names no image"),
        (r#"{"image":7,"status":"new"}"#, "names no image"),
        (r#"{"image":"a/b:1.0.0"}"#, "names no status"),
        (no_tag.as_str(), "no tag"),
        (
            r#"{"diun_entry_image":"a/b","diun_entry_status":"update"}"#,
            "no tag",
        ),
        (
            r#"{"diun_entry_image":"reg","diun_entry_imagetag":"5000/x:1","diun_entry_status":"update"}"#,
            "cannot be read",
        ),
        (long_digest.as_str(), "the digest has 300 characters"),
        (r#"{"image":"a/b:1\"2","status":"new"}"#, "cannot be read"),
        (r#"{"image":"a/b:1\n2","status":"new"}"#, "cannot be read"),
        (r#"{"image":"a/b:1\"}","status":"new"}"#, "cannot be read"),
        (
            r#"{"diun_entry_image":"a/b","diun_entry_imagetag":"1\"}","diun_entry_status":"update"}"#,
            "cannot be read",
        ),
    ] {
        let answer = ingest
            .send(ingest.client.post(ingest.url(SECRET)).body(body.to_owned()))
            .await?;
        assert_eq!(answer.decision(), (400, "refused"), "{body}");
        assert!(answer.text("reason").contains(reason), "{body}: {answer:?}");
    }
    assert_eq!(ingest.log.follow(None).await?.backlog(), 0);
    Ok(())
}

#[tokio::test]
async fn five_megabytes_are_too_much() -> anyhow::Result<()> {
    let ingest = Ingest::start().await?;
    let mut body = native("docker.io/a/b", "1.0.0", "new");
    body["metadata"]["pod_status"] = json!("x".repeat(5 * 1024 * 1024));
    let answer = ingest.post(&body).await?;
    assert_eq!(answer.decision(), (413, "refused"));
    assert!(
        answer.text("reason").contains("1048576 bytes"),
        "{answer:?}"
    );

    // A simple sender looks at the answer only when it is through.
    let url = ingest.url(SECRET);
    let (address, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .context("an address")?;
    let mut stream = TcpStream::connect(address).await?;
    let body = body.to_string();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    let answer = ingest
        .post(&native("docker.io/a/b", "1.0.0", "new"))
        .await?;
    assert_eq!(answer.status, 202);
    Ok(())
}

#[tokio::test]
async fn without_nats_what_is_filtered_out_is_answered_in_time() -> anyhow::Result<()> {
    let mut ingest =
        Ingest::with(|settings| settings.ingest.nats_wait = Duration::from_secs(1)).await?;
    ingest.nats.kill().await?;
    let began = Instant::now();
    let answer = ingest
        .post(&native("docker.io/a/b", "latest", "new"))
        .await?;
    assert_eq!(answer.decision(), (200, "skipped"));
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}

#[tokio::test]
async fn a_short_absence_of_nats_is_waited_for() -> anyhow::Result<()> {
    let mut ingest =
        Ingest::with(|settings| settings.ingest.nats_wait = Duration::from_secs(20)).await?;
    ingest.nats.kill().await?;
    let post =
        ingest
            .client
            .post(ingest.url(SECRET))
            .json(&native("docker.io/a/b", "1.0.0", "new"));
    let posted = tokio::spawn(post.send());
    ingest.nats.restart().await?;
    assert_eq!(posted.await??.status(), 202);
    Ok(())
}
