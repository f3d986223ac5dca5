//! After the show: everything stays as it is, for requests of one's own.

use std::time::Duration;

use anyhow::{Context as _, Result};
use testkit::lab::Lab;

use super::timeline::Timeline;

/// How often the timeline looks for what is new.
const POLL: Duration = Duration::from_millis(500);

/// Says where everything is, and shows what happens until Ctrl-C. `example` is an image and a tag
/// that could be asked for.
pub(super) async fn until_interrupted(
    lab: &Lab,
    timeline: &mut Timeline,
    example: (&str, &str),
) -> Result<()> {
    println!("\n{}", addresses(lab, example));
    println!("Everything runs until Ctrl-C. What happens is shown here:\n");
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        let look = async {
            // What is not readable now may be at the next look.
            if let Err(error) = timeline.look(lab).await {
                eprintln!("cannot look: {error:#}");
            }
            tokio::time::sleep(POLL).await;
        };
        tokio::select! {
            interrupted = &mut interrupted => {
                interrupted.context("failed to wait for Ctrl-C")?;
                println!("\nStopping.");
                return Ok(());
            }
            () = look => {}
        }
    }
}

fn addresses(lab: &Lab, (image, tag): (&str, &str)) -> String {
    let grpc = lab.grpc_url();
    format!(
        "Ask for an upgrade as a script would:\n\n  \
         curl -X POST {webhook} -d '{{\"diun_entry_status\":\"update\",\
         \"diun_entry_image\":\"{image}\",\"diun_entry_imagetag\":\"{tag}\",\
         \"diun_entry_provider\":\"kubernetes\"}}'\n\n\
         or with the command line, in another terminal:\n\n  \
         export BOWLINE_SERVER={grpc}\n  \
         cargo run -q -p bowline -- upgrade {image} {tag} --wait\n  \
         cargo run -q -p bowline -- list --all\n\n\
         Webhooks    {webhook}\n\
         gRPC        {grpc}\n\
         git host    {git}\n\
         Woodpecker  {woodpecker}\n\
         Kubernetes  {kubernetes}\n\
         GitHub      {github}\n\
         Slack       {slack}\n\
         files       {folder} (configuration, logs, data; gone at the end)\n",
        webhook = lab.webhook_url(),
        git = lab.git.url_with_token(),
        woodpecker = lab.woodpecker.url(),
        kubernetes = lab.cluster.url(),
        github = lab.github.url(),
        slack = lab.slack.url(),
        folder = lab.folder().display(),
    )
}
