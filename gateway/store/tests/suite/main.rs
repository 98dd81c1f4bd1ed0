//! What every engine must do. One list of cases, run on each engine; a new engine is one line at the end.
//! Knows nothing of how an engine works inside.

#![allow(unreachable_pub, reason = "the cases are reached through a macro; nobody links a test")]

mod backup;
mod bed;
mod cluster;
mod crash;
mod encryption;
mod etcd;
mod expiry;
mod fault;
mod history;
mod model;
mod proxy;
mod read;
mod restart;
mod room;
mod slow;
mod space;
mod watch;
mod write;

/// Runs cases on one engine.
macro_rules! run {
    ($engine:ident: $($module:ident::$case:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            crate::$module::$case(crate::bed::Bed::$engine().await).await;
        })*
    };
}

/// What every engine must do.
macro_rules! every_engine {
    ($engine:ident) => {
        run!($engine:
            write::created_once,
            write::replaced_only_at_the_expected_revision,
            write::deleted_only_at_the_expected_revision,
            write::reads_its_own_writes,
            write::all_of_a_transaction_or_nothing,
            write::unsound_transactions_are_refused,
            write::one_of_many_creators_wins,
            write::every_write_has_a_revision_of_its_own,
            write::a_closed_store_refuses,
            read::in_order_of_full_key_bytes,
            read::a_snapshot_stays_as_it_was,
            read::pages_join_to_the_whole,
            read::pinned_for_the_next_page,
            read::what_has_not_changed_needs_no_pin,
            read::what_the_log_remembers_needs_no_pin,
            watch::ordered_unique_and_resumable,
            watch::previous_state_is_right,
            watch::deleted_carries_the_last_body_and_the_new_revision,
            watch::a_selector_sees_arrivals_and_departures,
            watch::only_what_it_asked_for,
            watch::a_pod_moves_between_nodes,
            watch::pods_without_a_node_are_found,
            watch::a_late_watcher_of_a_place_misses_nothing,
            watch::sleeps_until_something_of_interest_happens,
            watch::too_old_is_gone,
            watch::the_slow_are_closed,
            watch::bytes_bound_the_log,
            watch::progress_only_when_nothing_is_pending,
            watch::frames_are_rendered_once,
            watch::dropping_leaves_the_log,
            watch::ends_when_the_store_closes,
            backup::restored_as_it_was,
            backup::saved_at_one_revision,
            backup::a_damaged_backup_is_refused,
            model::random_operations_match_a_map,
            model::concurrent_writers_match_their_answers,
            model::a_list_and_its_watch_make_the_present,
            history::what_everybody_is_told_fits_one_order,
        );
    };
}

/// What engines must do that see to the end of objects themselves.
macro_rules! every_embedded_engine {
    ($engine:ident) => {
        run!($engine:
            expiry::expires_with_an_event,
            expiry::a_write_begins_the_time_anew,
            expiry::many_expire_in_bounded_commits,
        );
    };
}

/// What engines must do that outlive their process.
macro_rules! every_lasting_engine {
    ($engine:ident) => {
        run!($engine:
            restart::everything_is_kept,
            restart::the_revision_never_falls,
            restart::older_revisions_are_gone,
        );
    };
}

mod memory {
    every_engine!(memory);
    every_embedded_engine!(memory);
}

mod disk {
    every_engine!(disk);
    every_embedded_engine!(disk);
    every_lasting_engine!(disk);
    run!(disk:
        restart::quiet_resources_lose_nothing,
        restart::expiry_is_kept,
        expiry::a_clock_that_steps_loses_nothing,
        fault::a_second_process_is_kept_out,
        space::the_log_is_never_much_longer_than_what_it_holds,
        fault::another_format_is_refused,
        fault::an_older_file_is_refused,
        fault::what_a_first_start_left_half_made_is_no_store,
        fault::a_damaged_record_is_named,
        fault::a_damaged_block_is_never_overlooked,
    );
}

mod failing_disk {
    run!(platter:
        fault::nothing_is_acknowledged_after_a_failed_fsync,
        fault::nothing_is_acknowledged_after_a_failed_write,
        fault::acknowledged_writes_survive_a_power_cut,
        room::a_full_disk_refuses_what_is_new_and_nothing_else,
        room::others_may_fill_the_disk_to_the_last_byte,
        slow::nobody_waits_for_an_fsync_but_who_writes,
    );

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_fsync_may_be_cut_short() {
        crate::crash::every_fsync_may_be_cut_short().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_flipped_bit_is_met_or_does_no_harm() {
        crate::crash::a_flipped_bit_is_met_or_does_no_harm().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn any_fsync_may_fail_under_many_writers() {
        crate::crash::any_fsync_may_fail_under_many_writers().await;
    }
}

mod a_cluster {
    every_engine!(etcd);
    every_lasting_engine!(etcd);
    run!(etcd:
        cluster::others_see_what_was_answered,
        cluster::what_happens_elsewhere_is_progress,
        cluster::a_lease_ends_with_an_event,
        cluster::goes_on_after_etcd_was_away,
        cluster::compacted_away_is_listed_anew,
        cluster::nothing_answered_is_lost_on_rough_ways,
        cluster::a_cluster_of_its_own_fails_alone,
        cluster::what_cannot_be_read_is_told_until_it_can,
        cluster::what_lies_in_another_form_is_known_to,
        history::it_does_on_rough_ways,
        history::it_does_under_compaction,
    );
}
