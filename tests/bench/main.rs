//! What the real processes take: memory, time to recover, and what a long log costs: a part of
//! `cargo xtask bench pipeline`.
#![expect(clippy::print_stdout, reason = "it prints figures")]

mod facts;
mod many;
mod memory;
mod recovery;
mod scale;

use testkit::figures::Figures;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut figures = Figures::default();
    let measured = async {
        memory::and_recovery(&mut figures).await?;
        many::upgrades_in_the_log(&mut figures).await?;
        scale::out(&mut figures).await
    };
    let measured = measured.await;
    // Also what was found before something failed.
    print!("{figures}");
    measured
}
