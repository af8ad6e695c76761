//! The fold and the owner under faults, as `journal-model` checks them: real code, an in-memory log, seeded trouble.

/// Mistakes that the checker has to find.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Plant {
    pub no_contiguity: bool,
    pub equal_term: bool,
    pub no_prev_hash: bool,
    pub claim_by_term: bool,
    pub no_reread_after_claim: bool,
    pub gap_reads_stale_end: bool,
}
