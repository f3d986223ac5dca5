//! What every implementation of the log has to do.

pub(super) mod appending;
pub(super) mod claiming;
pub(super) mod flying;
pub(super) mod looping;
pub(super) mod records;

use std::sync::Arc;

use async_trait::async_trait;
use job::Owner;

use crate::Log;

/// An implementation under test, alone with its log.
#[async_trait]
pub(super) trait Bench: Send + Sync {
    fn log(&self) -> Arc<dyn Log>;

    /// How many deliveries of an owner are not acknowledged yet, or not even delivered.
    async fn unanswered(&self, owner: Owner) -> u64;

    /// Forgets every acknowledgement of an owner.
    async fn forget_acks(&self, owner: Owner);
}

/// Instantiates the suite for one implementation.
macro_rules! suite {
    ($bench:path, $clock:tt: $($module:ident { $($name:ident,)+ })+) => {
        $(mod $module {
            $(crate::tests::suite::suite! { @test $clock
            async fn $name() {
                crate::tests::suite::$module::$name(&$bench().await).await;
            } })+
        })+
    };
    (@test [$($clock:tt)*] $test:item) => {
        #[tokio::test($($clock)*)]
        $test
    };
}
pub(super) use suite;

/// Every test of the suite, for one implementation; `start_paused = true` for one on virtual time.
macro_rules! whole_suite {
    ($bench:path $(, $($clock:tt)*)?) => {
        crate::tests::suite::suite! { $bench, [$($($clock)*)?]:
            appending {
                of_two_writers_one_wins,
                two_openings_at_once_make_one_upgrade,
                an_illegal_fact_is_not_appended,
                a_log_is_read_as_it_was_written,
                followers_see_every_fact_in_order,
            }
            looping {
                work_that_died_before_its_ack_is_not_done_again,
                acknowledged_deliveries_that_come_again_have_no_effect,
                two_thousand_waiting_upgrades_delay_nobody,
                long_work_is_not_delivered_twice,
                a_failing_command_is_tried_until_it_succeeds,
                what_is_tried_in_vain_is_told_until_it_goes_on,
                what_panics_again_and_again_is_parked_and_others_go_on,
                what_is_answered_illegally_again_and_again_is_parked,
                a_cancel_in_between_wins_and_the_old_answer_is_dropped,
                an_overlong_log_is_parked,
            }
            claiming {
                an_undo_is_served_before_earlier_upgrades,
                a_holder_that_lost_its_need_is_removed,
                a_claim_is_held_by_one_of_many_at_a_time,
                who_needs_a_claim_again_is_safe_from_older_judgements,
                a_need_that_came_back_holds_nothing_by_itself,
                a_full_window_holds_until_it_expires,
                many_newcomers_at_once_get_exactly_the_places_there_are,
            }
            flying {
                so_many_fly_at_once_and_the_next_when_one_lands,
                who_flies_alone_is_alone_and_what_is_stuck_does_not_fly,
                a_circuit_trips_once_is_told_once_and_is_closed_by_hand,
            }
            records {
                a_value_is_written_only_over_what_was_read,
                a_deleted_value_is_absent_and_can_be_written_again,
                a_lease_expires_with_its_holder,
                a_lease_that_is_renewed_lasts,
                webhooks_are_kept_newest_first,
                an_archived_upgrade_leaves_its_summary,
                a_pause_is_in_force_until_it_is_ended,
                limits_are_changed_one_by_one_and_forgotten_together,
            }
        }
    };
}
pub(super) use whole_suite;
