//! `bowline up`: the services and their NATS server as one tree of processes.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_lab};
use testkit::lab::{Lab, Options, UP};
use testkit::nats::NatsServer;

use crate::EBOOKS;

/// The lab's `grace` and what stopping nats-server may take, and much for a busy machine.
const STOPS_WITHIN: Duration = Duration::from_secs(30);
/// The repository's lock of a killed executor has to expire first.
const AFTER_LOCK: Duration = Duration::from_secs(90);

fn up() -> Options {
    let second = Duration::from_secs(1);
    Options {
        up: true,
        windows: (3 * second, 3 * second, 3 * second),
        ..Options::default()
    }
}

/// The end of an undisturbed upgrade of ebooks, with one commit and one NATS server.
async fn as_if_nothing_had_happened(lab: &Lab, id: &str) -> anyhow::Result<()> {
    lab.ended(id, "Succeeded", AFTER_LOCK).await?;
    let commits = lab.commits();
    ensure!(commits.len() == 1, "{commits:#?}");
    assert_eq!(commits[0].subject, "upgrade: ebooks 2.32.1 -> 2.33.1");
    assert_eq!(lab.live("ebooks").as_deref(), Some("2.33.1"));
    lab.said(&["ebooks", "starting", id], LIMIT).await?;
    lab.said(&["ebooks", "done", id], LIMIT).await?;
    lab.nats_process()?;
    Ok(())
}

async fn in_window(lab: &Lab, id: &str) -> anyhow::Result<usize> {
    let observed = |view: &testkit::lab::View| view.facts.iter().any(|f| f.name == "observed");
    let view = lab
        .wait(id, "is inside its window", observed, LIMIT)
        .await?;
    Ok(view.facts.len())
}

/// An upgrade whose push has landed, and gets no answer until the file is there.
async fn pushing(lab: &Lab) -> anyhow::Result<(String, std::path::PathBuf)> {
    let gate = lab.folder().join("gate");
    let hook = format!(
        "#!/bin/sh\nwhile [ ! -e '{}' ]; do sleep 0.05; done\n",
        gate.display()
    );
    lab.git.set_hook("post-receive", &hook);
    let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
    lab.until("the push lands", || lab.commits().len() == 1, LIMIT)
        .await?;
    Ok((id, gate))
}

async fn heard(lab: &Lab) -> anyhow::Result<()> {
    let asked = || log_of(lab).is_ok_and(|log| log.contains("asked to stop"));
    lab.until("the wish to stop is heard", asked, LIMIT).await
}

/// The group of a process.
fn group(process: u32) -> anyhow::Result<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let group = after_name.split_whitespace().nth(2);
    Ok(group.context("no group")?.parse()?)
}

fn log_of(lab: &Lab) -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(lab.log_path(UP))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_goes_through_in_one_tree_of_processes() {
    in_lab(up(), async |lab| {
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        as_if_nothing_had_happened(lab, &id).await?;

        let log = log_of(lab)?;
        let (url, token) = lab.nats_address()?;
        let address = url.trim_start_matches("nats://");
        ensure!(log.contains(address), "{address} is not said:\n{log}");
        ensure!(log.contains("/webhook/<secret>"), "{log}");
        let token = token.context("the server asks for no token")?;
        ensure!(!log.contains(&token), "the token is in the log");
        let nats = lab.nats_process()?;
        let shown = std::fs::read(format!("/proc/{nats}/cmdline"))?;
        let shown = String::from_utf8_lossy(&shown).into_owned();
        ensure!(!shown.contains(&token), "everybody sees the token: {shown}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_push_it_goes_on_after_the_next_start() {
    in_lab(up(), async |lab| {
        let (id, gate) = pushing(lab).await?;
        let before = lab.nats_process()?;

        lab.kill9(UP)?;
        assert_eq!(
            lab.nats_process()?,
            before,
            "the child outlives its killed parent; else this shows nothing"
        );
        lab.git.remove_hook("post-receive");
        std::fs::write(&gate, "")?;
        lab.spawn(UP)?;
        lab.listening().await?;
        assert_ne!(lab.nats_process()?, before, "the child was replaced");
        as_if_nothing_had_happened(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_on_the_folder_is_refused_and_the_first_goes_on() {
    in_lab(up(), async |lab| {
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let first = lab.process_ids()[0].1;
        let nats = lab.nats_process()?;
        let refused = lab.another_up(&[]).await?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        ensure!(said.contains(&format!("process {first}")), "{said}");
        assert_eq!(lab.nats_process()?, nats);
        as_if_nothing_had_happened(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_everything_and_loses_nothing() {
    in_lab(up(), async |lab| {
        let (id, gate) = pushing(lab).await?;
        let facts = lab.view(&id).await?.facts.len();
        let first = lab.process_ids()[0].1;
        assert_eq!(group(first)?, first);
        assert_ne!(
            group(lab.nats_process()?)?,
            first,
            "the terminal would interrupt nats-server, too"
        );
        let go_on = async {
            heard(lab).await?;
            Ok(std::fs::write(&gate, "")?)
        };
        let (status, ()) = tokio::try_join!(lab.interrupt(STOPS_WITHIN), go_on)?;
        assert_eq!(status.code(), Some(0), "{}", lab.logs());
        assert_eq!(lab.nats_processes(), [0; 0], "nats-server was left behind");
        let log = log_of(lab)?;
        for sign in ["lost the connection to NATS", "nats-server died"] {
            ensure!(
                !log.contains(sign),
                "nats-server stopped before the services:\n{log}"
            );
        }

        // What the executor had in hand was finished and written down: nobody pushes again.
        lab.git.set_hook("pre-receive", "#!/bin/sh\nexit 1\n");
        lab.spawn(UP)?;
        lab.listening().await?;
        let known = |view: &testkit::lab::View| view.facts.len() > facts;
        let view = lab.wait(&id, "has its facts", known, LIMIT).await?;
        assert_eq!(view.facts[facts].name, "pushed");
        as_if_nothing_had_happened(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_leaves_no_server_behind() {
    in_lab(up(), async |lab| {
        // A push that gets no answer keeps the executor from stopping at once.
        lab.git
            .set_hook("post-receive", "#!/bin/sh\nexec sleep 20\n");
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.until("the push lands", || lab.commits().len() == 1, LIMIT)
            .await?;
        let group = format!("-{}", lab.process_ids()[0].1);
        lab.signal("INT", &group)?;
        heard(lab).await?;
        let status = lab.interrupt(STOPS_WITHIN).await?;
        assert_eq!(status.code(), Some(130), "{}", lab.logs());
        let gone = || lab.nats_processes().is_empty();
        lab.until("nats-server is gone", gone, LIMIT).await?;

        lab.git.remove_hook("post-receive");
        lab.spawn(UP)?;
        lab.listening().await?;
        as_if_nothing_had_happened(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_server_that_dies_comes_back_and_the_upgrade_goes_on() {
    in_lab(up(), async |lab| {
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        in_window(lab, &id).await?;
        let (before, killed) = (lab.nats_address()?, lab.nats_process()?);
        lab.signal("KILL", &killed.to_string())?;
        let replaced = || lab.nats_process().is_ok_and(|now| now != killed);
        lab.until("another nats-server runs", replaced, LIMIT)
            .await?;
        as_if_nothing_had_happened(lab, &id).await?;
        assert_eq!(lab.nats_address()?, before, "it has its port again");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_was_taken_meanwhile_is_left_to_the_other() {
    in_lab(up(), async |lab| {
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        in_window(lab, &id).await?;
        let (before, _) = lab.nats_address()?;
        let port: u16 = before
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok())
            .context("no port")?;
        // It cannot start the server again before somebody else has the port.
        let first = lab.process_ids()[0].1.to_string();
        lab.signal("STOP", &first)?;
        lab.signal("KILL", &lab.nats_process()?.to_string())?;
        let taken = std::cell::RefCell::new(None);
        let take = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            *taken.borrow_mut() = listener.ok();
            taken.borrow().is_some()
        };
        lab.until("the port is free", take, LIMIT).await?;
        lab.signal("CONT", &first)?;

        as_if_nothing_had_happened(lab, &id).await?;
        assert_ne!(lab.nats_address()?.0, before);
        let log = log_of(lab)?;
        ensure!(log.contains("was taken meanwhile"), "{log}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_newer_server_is_refused() {
    in_lab(up(), async |lab| {
        let status = lab.interrupt(STOPS_WITHIN).await?;
        assert_eq!(status.code(), Some(0), "{}", lab.logs());
        let record = lab.data(UP).join("nats/version");
        let own = std::fs::read_to_string(&record)?;
        std::fs::write(&record, "99.0.0\n")?;
        let refused = lab.another_up(&[]).await?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        ensure!(
            said.contains("last written by nats-server 99.0.0"),
            "{said}"
        );
        assert_eq!(lab.nats_processes(), [0; 0]);

        std::fs::write(&record, own)?;
        lab.spawn(UP)?;
        lab.listening().await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_start_is_named_and_everything_stops() {
    in_lab(up(), async |lab| {
        let status = lab.interrupt(STOPS_WITHIN).await?;
        assert_eq!(status.code(), Some(0), "{}", lab.logs());
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = taken.local_addr()?.to_string();
        let failed = lab.another_up(&[("ingest.listen", &address)]).await?;
        let said = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert_eq!(failed.status.code(), Some(1), "{said}");
        ensure!(
            said.contains("ingest failed: failed to listen on"),
            "{said}"
        );
        assert_eq!(lab.nats_processes(), [0; 0], "nats-server was left behind");

        lab.spawn(UP)?;
        lab.listening().await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_address_of_another_server_it_starts_none() {
    in_lab(up(), async |lab| {
        let status = lab.interrupt(STOPS_WITHIN).await?;
        assert_eq!(status.code(), Some(0), "{}", lab.logs());
        let config = lab.folder().join("bowline.toml");
        let own = std::fs::read_to_string(&config)?;
        let other = NatsServer::start().await?;
        std::fs::write(
            &config,
            format!("{own}\n[nats]\nurl = \"{}\"\n", other.url()),
        )?;
        lab.spawn(UP)?;
        let listens = || TcpStream::connect(lab.webhook_address()).is_ok();
        lab.until("ingest listens", listens, LIMIT).await?;
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "Succeeded", LIMIT).await?;
        lab.said(&["ebooks", "starting", &id], LIMIT).await?;
        lab.said(&["ebooks", "done", &id], LIMIT).await?;
        assert_eq!(lab.nats_processes(), [0; 0], "nobody asked for a server");
        let status = lab.interrupt(STOPS_WITHIN).await?;
        assert_eq!(status.code(), Some(0), "{}", lab.logs());

        std::fs::write(&config, own)?;
        lab.spawn(UP)?;
        lab.listening().await
    })
    .await;
}
