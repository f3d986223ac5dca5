//! Jobs cannot be changed.

use anyhow::{Context as _, ensure};

use crate::source::{folder, list};

#[test]
fn a_job_that_reads_the_configuration_is_gone_before_the_next_edit() -> anyhow::Result<()> {
    let mut jobs = 0;
    for job in folder("k8s/base")? {
        let volumes = list(&job["spec"]["template"]["spec"]["volumes"]).iter();
        // The map's name is another one after each edit.
        let reads = volumes.filter(|volume| volume["configMap"]["name"] == "bowline");
        if job["kind"] != "Job" || reads.count() == 0 {
            continue;
        }
        jobs += 1;
        let name = &job["metadata"]["name"];
        let seconds = job["spec"]["ttlSecondsAfterFinished"].as_u64();
        let seconds = seconds.with_context(|| format!("{name} stays for ever"))?;
        ensure!(seconds <= 600, "{name} stays for {seconds} s");
    }
    ensure!(jobs == 1, "{jobs} such Jobs");
    Ok(())
}
