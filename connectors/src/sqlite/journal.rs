//! One SQLite file, one writer thread, one transaction a group commit over all shards that have a batch.
//!
//! WAL with synchronous=FULL: one fsync a commit. The head (offset, term, seq, hash) is read inside the transaction
//! and compared, so an append is a compare-and-append: no void records, no gaps. A second process is refused by a
//! lock on a file beside it, which the kernel drops with the process. An append that fails is tried again as the same
//! bytes, for as long as it takes; nothing is acknowledged meanwhile.

use super::disk;
use crate::journal::record::{self, Hash};
use crate::journal::{Ack, Acked, Journal, JournalError, Kind, Visit, Wake};
use crossbeam::channel::{Receiver, Sender, bounded};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Appends that wait for the writer: one a shard (W = 1), and claims.
const WAITING_MAX: usize = 256;
/// How long a stop waits for room among the appends; a writer that has ended is not waited for.
const STOP: Duration = Duration::from_secs(5);
/// Between two tries of a failed commit.
const RETRY: Duration = Duration::from_millis(200);
/// Set to `off` by the one test that shows that the count of sync calls would notice; never by anybody else.
const SYNCHRONOUS_ENV: &str = "STROWGER_TEST_SYNCHRONOUS";

struct Append {
    shard: u16,
    ticket: u64,
    record: Arc<[u8]>,
    acks: Sender<Acked>,
    wake: Wake,
}

enum Work {
    Append(Append),
    /// What was submitted before is written.
    Stop,
}

/// The open file: holds the lock and the writer thread. Its journals are handles.
pub struct SqliteStore {
    path: PathBuf,
    shards: u16,
    appends: Sender<Work>,
    writer: Option<std::thread::JoinHandle<()>>,
    /// A writer that cannot write gives up.
    stopping: Arc<AtomicBool>,
    _lock: File,
}

impl SqliteStore {
    /// Opens the journal at `path`, or creates it with `shards` shards, which it then has for ever.
    pub fn open(path: &Path, shards: u16) -> Result<SqliteStore, JournalError> {
        let room = disk::free_bytes(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")));
        let room = room.map_err(|error| JournalError::Unavailable(format!("{}: {error}", path.display())))?;
        if room < disk::FREE_BYTES_MIN {
            return Err(refused(format!(
                "only {} MiB are free on the disk of {}; the journal is never trimmed yet and needs at least 1,024 MiB to start",
                room >> 20,
                path.display()
            )));
        }
        let lock = lock(path)?;
        let connection = connect(path).map_err(|error| failed(path, &error))?;
        let found = create(&connection, shards).map_err(|error| failed(path, &error))?;
        if found != shards {
            return Err(refused(format!(
                "{} was created with {found} shards and {shards} are configured; the number never changes",
                path.display()
            )));
        }
        let (appends, waiting) = bounded(WAITING_MAX);
        let stopping = Arc::new(AtomicBool::new(false));
        let gives_up = stopping.clone();
        let writer = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || write(connection, &waiting, &gives_up))
            .map_err(|error| JournalError::Unavailable(error.to_string()))?;
        Ok(SqliteStore { path: path.into(), shards, appends, writer: Some(writer), stopping, _lock: lock })
    }

    /// A handle for one thread; its acks go to `acks`.
    pub fn journal(&self, acks: Sender<Acked>, wake: Wake) -> Result<SqliteJournal, JournalError> {
        let reader = open_reader(&self.path)?;
        Ok(SqliteJournal { reader, shards: self.shards, appends: self.appends.clone(), acks, wake })
    }

    /// A handle that only reads.
    pub fn reader(&self) -> Result<SqliteJournal, JournalError> {
        self.journal(bounded(1).0, Arc::new(|_| {}))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SqliteStore {
    /// What was submitted is written before the file is closed; what a journal submits later is never acknowledged.
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        let _ = self.appends.send_timeout(Work::Stop, STOP);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn refused(sentence: String) -> JournalError {
    crate::journal::Halt::Refused(sentence).into()
}

fn failed(path: &Path, error: &rusqlite::Error) -> JournalError {
    JournalError::Unavailable(format!("{}: {error}", path.display()))
}

/// One process a file. The lock belongs to the open file, not to its name: kill -9 leaves nothing behind.
fn lock(path: &Path) -> Result<File, JournalError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let unavailable =
        |error: &dyn std::fmt::Display| JournalError::Unavailable(format!("{}: {error}", Path::new(&name).display()));
    let file =
        File::options().create(true).truncate(false).write(true).open(&name).map_err(|error| unavailable(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(refused(format!("{} is in use by another process; a journal has one owner", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(unavailable(&error)),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let off = std::env::var(SYNCHRONOUS_ENV).is_ok_and(|value| value == "off");
    if off {
        tracing::warn!("synchronous is OFF: an acknowledged event can be lost; this is for one test only");
    }
    connection.pragma_update(None, "synchronous", if off { "OFF" } else { "FULL" })?;
    connection.pragma_update(None, "locking_mode", "NORMAL")?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection, JournalError> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(path, flags)?;
        reader.busy_timeout(Duration::from_secs(5))?;
        Ok(reader)
    };
    open().map_err(|error| failed(path, &error))
}

fn create(connection: &Connection, shards: u16) -> rusqlite::Result<u16> {
    connection.execute_batch(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
         CREATE TABLE IF NOT EXISTS journal (
            shard INTEGER NOT NULL, offset INTEGER NOT NULL,
            -- The fold after this record, for the compare-and-append and for people.
            seq INTEGER NOT NULL, term INTEGER NOT NULL, hash BLOB NOT NULL,
            record BLOB NOT NULL,
            PRIMARY KEY (shard, offset)) STRICT;
         CREATE INDEX IF NOT EXISTS journal_seq ON journal (shard, seq);",
    )?;
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('shards', ?1) ON CONFLICT DO NOTHING",
        params![shards.to_string()],
    )?;
    let found: String = connection.query_row("SELECT value FROM meta WHERE name = 'shards'", [], |row| row.get(0))?;
    connection.execute_batch("COMMIT")?;
    Ok(found.parse().unwrap_or(0))
}

/// The writer thread: takes what waits, commits it together, acknowledges. Ends when the store is dropped.
fn write(mut connection: Connection, waiting: &Receiver<Work>, stopping: &AtomicBool) {
    let mut group: Vec<Append> = Vec::with_capacity(WAITING_MAX);
    let mut stop = false;
    while !stop {
        let Ok(first) = waiting.recv() else { return };
        for work in std::iter::once(first).chain(waiting.try_iter().take(WAITING_MAX - 1)) {
            match work {
                Work::Append(append) => group.push(append),
                Work::Stop => stop = true,
            }
        }
        let acks = loop {
            match commit(&mut connection, &group) {
                Ok(acks) => break acks,
                Err(error) if stopping.load(Ordering::Acquire) => {
                    // Nobody was told that it is committed; the next start takes it up from the journal as it is.
                    tracing::error!(%error, "the journal cannot be written, and the process stops");
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "the journal cannot be written; trying again");
                    std::thread::sleep(RETRY);
                }
            }
        };
        for (append, ack) in group.drain(..).zip(acks) {
            // The receiver is gone only when the process ends.
            let _ = append.acks.send(Acked { shard: append.shard, ticket: append.ticket, ack });
            (append.wake)(append.shard);
        }
    }
}

/// The last record of a shard's log as its row says it.
struct Head {
    next_offset: u64,
    term: u64,
    seq: u64,
    hash: Hash,
}

fn commit(connection: &mut Connection, group: &[Append]) -> rusqlite::Result<Vec<Ack>> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut acks = Vec::with_capacity(group.len());
    for append in group {
        acks.push(insert(&transaction, append)?);
    }
    transaction.commit()?;
    Ok(acks)
}

fn insert(connection: &Connection, append: &Append) -> rusqlite::Result<Ack> {
    let head = head(connection, append.shard)?;
    let header = match record::decode(head.next_offset, &append.record) {
        Ok(record) => record.header,
        Err(halt) => return Ok(Ack::Unknown(halt.to_string())),
    };
    let (seq, follows) = match header.kind {
        Kind::Claim => (head.seq, header.term > head.term),
        Kind::Batch => {
            let follows = (header.term, header.seq, header.prev_hash) == (head.term, head.seq + 1, head.hash);
            (header.seq, follows)
        }
    };
    let hash = record::chain(&header.prev_hash, &append.record);
    if hash == head.hash {
        // A commit that reported an error and had happened all the same: these bytes stand there already.
        return Ok(Ack::Offset(head.next_offset - 1));
    }
    if !follows {
        return Ok(Ack::Unknown("another writer has appended to the journal".into()));
    }
    connection
        .prepare_cached("INSERT INTO journal (shard, offset, seq, term, hash, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            append.shard,
            head.next_offset as i64,
            seq as i64,
            header.term as i64,
            record::chain(&head.hash, &append.record),
            &append.record[..]
        ])?;
    Ok(Ack::Offset(head.next_offset))
}

fn head(connection: &Connection, shard: u16) -> rusqlite::Result<Head> {
    let found = connection
        .prepare_cached("SELECT offset, term, seq, hash FROM journal WHERE shard = ?1 ORDER BY offset DESC LIMIT 1")?
        .query_row(params![shard], |row| {
            Ok(Head {
                next_offset: row.get::<_, i64>(0)? as u64 + 1,
                term: row.get::<_, i64>(1)? as u64,
                seq: row.get::<_, i64>(2)? as u64,
                hash: row.get(3)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or(Head { next_offset: 0, term: 0, seq: 0, hash: [0; 32] }))
}

/// One thread's handle on the store.
pub struct SqliteJournal {
    reader: Connection,
    shards: u16,
    appends: Sender<Work>,
    acks: Sender<Acked>,
    wake: Wake,
}

impl SqliteJournal {
    /// The journal at `path` for one who only reads, and how many shards it has. No lock is taken and no record can be
    /// written, so another process may own it meanwhile.
    pub fn read_only(path: &Path) -> Result<(SqliteJournal, u16), JournalError> {
        if !path.is_file() {
            return Err(refused(format!("there is no journal at {}", path.display())));
        }
        let reader = open_reader(path)?;
        let shards: rusqlite::Result<String> =
            reader.query_row("SELECT value FROM meta WHERE name = 'shards'", [], |row| row.get(0));
        let shards = match shards.map(|shards| shards.parse()) {
            Ok(Ok(shards)) => shards,
            Ok(Err(_)) => return Err(refused(format!("{} does not say how many shards it has", path.display()))),
            Err(error) => return Err(refused(format!("{} is no journal: {error}", path.display()))),
        };
        let (appends, acks) = (bounded(1).0, bounded(1).0);
        Ok((SqliteJournal { reader, shards, appends, acks, wake: Arc::new(|_| {}) }, shards))
    }

    fn scan(&mut self, shard: u16, from: u64, visit: &mut Visit<'_>) -> Result<u64, JournalError> {
        assert!(shard < self.shards, "shard {shard} of {}", self.shards);
        let unavailable = |error: rusqlite::Error| JournalError::Unavailable(error.to_string());
        let mut statement = self
            .reader
            .prepare_cached("SELECT offset, record FROM journal WHERE shard = ?1 AND offset >= ?2 ORDER BY offset")
            .map_err(unavailable)?;
        let mut rows = statement.query(params![shard, from as i64]).map_err(unavailable)?;
        let mut next = None;
        while let Some(row) = rows.next().map_err(unavailable)? {
            let offset = row.get::<_, i64>(0).map_err(unavailable)? as u64;
            let bytes = row.get_ref(1).map_err(unavailable)?;
            let bytes = bytes.as_blob().map_err(|error| JournalError::Unavailable(error.to_string()))?;
            visit(offset, bytes)?;
            next = Some(offset + 1);
        }
        match next {
            Some(next) => Ok(next),
            // Nothing at `from` or after it: the log ends here, or below.
            None => Ok(end(&self.reader, shard).unwrap_or(0).min(from)),
        }
    }
}

impl Journal for SqliteJournal {
    fn read(&mut self, shard: u16, from: u64, visit: &mut Visit<'_>) -> Result<u64, JournalError> {
        self.scan(shard, from, visit)
    }

    /// A committed row is seen by every later read transaction, so one scan reaches `through` or it is not there.
    fn read_through(
        &mut self,
        shard: u16,
        from: u64,
        through: u64,
        visit: &mut Visit<'_>,
    ) -> Result<u64, JournalError> {
        let end = self.scan(shard, from, visit)?;
        if end > through {
            return Ok(end);
        }
        Err(JournalError::Unavailable(format!("the journal ends at {end}, and offset {through} was acknowledged")))
    }

    /// The writer is the store's: there is nothing to open, and a claim is the only fence needed.
    fn open_writer(&mut self, _shard: u16) -> Result<(), JournalError> {
        Ok(())
    }

    fn close_writer(&mut self, _shard: u16) {}

    fn submit(&mut self, shard: u16, ticket: u64, record: Arc<[u8]>) {
        let append = Append { shard, ticket, record, acks: self.acks.clone(), wake: self.wake.clone() };
        // The writer has ended only when the store is closed: nobody waits for this ack.
        let _ = self.appends.send(Work::Append(append));
    }

    fn end(&mut self, shard: u16) -> Option<u64> {
        end(&self.reader, shard)
    }
}

fn end(reader: &Connection, shard: u16) -> Option<u64> {
    reader
        .query_row("SELECT max(offset) + 1 FROM journal WHERE shard = ?1", params![shard], |row| {
            row.get::<_, Option<i64>>(0)
        })
        .ok()
        .flatten()
        .map(|end| end as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::owner::Batch;
    use crate::journal::{Domain, Event, Fold, Genesis, Halt, Owner, Record, Timing};
    use crossbeam::channel::unbounded;
    use engine::wire::Malformed;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A folder that goes with its test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Folder {
            static SERIAL: AtomicU32 = AtomicU32::new(0);
            let name = format!("strowger-sqlite-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("journal.db")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A state that is the number of effect bytes applied.
    #[derive(Default)]
    struct Length(u128);

    impl Domain for Length {
        fn apply(&mut self, _: &Fold, record: &Record<'_>, _: &[u8]) -> Result<u128, Malformed> {
            self.0 += record.effects.len() as u128;
            Ok(self.0)
        }
        fn committed(&mut self, _: &Fold, _: Arc<[u8]>) {}
        fn reset(&mut self) {
            self.0 = 0;
        }
        fn hash_of(&mut self, _: &mut dyn Journal, _: u64) -> Result<Option<Hash>, JournalError> {
            Ok(None)
        }
    }

    /// A shard that owns itself and appends batches of one effect byte.
    struct Shard {
        owner: Owner,
        domain: Length,
        journal: SqliteJournal,
        acks: Receiver<Acked>,
    }

    impl Shard {
        fn new(store: &SqliteStore, number: u16) -> Shard {
            let genesis = Genesis { shards: 2, ..Genesis::default() };
            let (acked, acks) = unbounded();
            let journal = store.journal(acked, Arc::new(|_| {})).unwrap();
            let owner = Owner::new(number, "test", genesis, Timing::EMBEDDED, 11 + u64::from(number));
            Shard { owner, domain: Length::default(), journal, acks }
        }

        fn await_ack(&mut self) -> Vec<Event> {
            let acked = self.acks.recv().unwrap();
            self.owner.on_ack(&mut self.journal, &mut self.domain, &acked, 0).unwrap();
            self.owner.take_events()
        }

        fn own(&mut self) {
            self.owner.turn(&mut self.journal, &mut self.domain, 0, false).unwrap();
            assert_eq!(self.await_ack(), [Event::Owned]);
        }

        fn append(&mut self) -> Vec<Event> {
            self.domain.0 += 1;
            let to = self.owner.fold().next_input + 1;
            let batch = Batch { to, digest: self.domain.0, effects: b"e", ..Batch::default() };
            self.owner.submit(&mut self.journal, &batch, 0);
            self.await_ack()
        }
    }

    #[test]
    fn who_only_reads_needs_no_lock_and_makes_no_file() {
        let folder = Folder::new();
        let refused = |path: &Path| match SqliteJournal::read_only(path) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("there is nothing to read"),
        };
        assert!(refused(&folder.file()).starts_with("there is no journal at "));
        assert!(!folder.file().exists());
        let store = SqliteStore::open(&folder.file(), 3).unwrap();
        let (mut journal, shards) = SqliteJournal::read_only(&folder.file()).unwrap();
        assert_eq!((shards, journal.read(0, 0, &mut |_, _| Ok(())).unwrap()), (3, 0));
        assert!(journal.reader.execute("INSERT INTO meta VALUES ('a', 'b')", []).is_err(), "it cannot write");
        drop(store);
        let other = folder.0.join("other.db");
        std::fs::write(&other, "no database").unwrap();
        assert!(refused(&other).contains("other.db is no journal: "));
    }

    #[test]
    fn what_is_committed_is_there_after_a_restart() {
        let folder = Folder::new();
        let before = {
            let store = SqliteStore::open(&folder.file(), 2).unwrap();
            let (mut first, mut second) = (Shard::new(&store, 0), Shard::new(&store, 1));
            first.own();
            second.own();
            for _ in 0..20 {
                assert_eq!(first.append(), []);
                assert_eq!(second.append(), []);
            }
            assert_eq!(first.owner.fold().seq, 20);
            first.owner.fold().clone()
        };
        let store = SqliteStore::open(&folder.file(), 2).unwrap();
        let mut shard = Shard::new(&store, 0);
        shard.own();
        assert_eq!(shard.domain.0, 20);
        let fold = shard.owner.fold();
        assert_eq!((fold.seq, fold.next_input, fold.term), (20, 20, before.term + 1));
        assert_eq!(shard.append(), []);
    }

    #[test]
    fn a_second_process_and_another_number_of_shards_are_refused() {
        let folder = Folder::new();
        let store = SqliteStore::open(&folder.file(), 2).unwrap();
        let sentence = SqliteStore::open(&folder.file(), 2).err().unwrap().to_string();
        assert!(sentence.contains("in use by another process"), "{sentence}");
        drop(store);
        let sentence = SqliteStore::open(&folder.file(), 3).err().unwrap().to_string();
        assert!(sentence.contains("created with 2 shards and 3 are configured"), "{sentence}");
        SqliteStore::open(&folder.file(), 2).unwrap();
    }

    /// As another process would append, past the lock. `head` is what it leaves in the row for the next append.
    fn intrude(path: &Path, record: &[u8], head: (u64, u64, Hash)) {
        let (seq, term, hash) = head;
        Connection::open(path)
            .unwrap()
            .execute(
                "INSERT INTO journal SELECT 0, max(offset) + 1, ?1, ?2, ?3, ?4 FROM journal WHERE shard = 0",
                params![seq as i64, term as i64, hash, record],
            )
            .unwrap();
    }

    fn foreign(fold: &Fold, kind: Kind) -> Vec<u8> {
        let header = crate::journal::Header {
            kind,
            behind: false,
            shard: 0,
            term: fold.term + 1,
            claim_id: [9; 16],
            seq: fold.seq + 1,
            prev_hash: [9; 32],
            from: fold.next_input,
            to: fold.next_input + 1,
            relay: Default::default(),
            last_decision: Default::default(),
            now: 0,
            digest: 0,
        };
        record::encode(&header, b"", b"", b"")
    }

    #[test]
    fn a_foreign_batch_is_voided_and_the_owner_goes_on() {
        let folder = Folder::new();
        let store = SqliteStore::open(&folder.file(), 2).unwrap();
        let mut shard = Shard::new(&store, 0);
        shard.own();
        shard.append();
        let fold = shard.owner.fold().clone();
        intrude(&folder.file(), &foreign(&fold, Kind::Batch), (fold.seq, fold.term, fold.hash));
        assert_eq!(shard.append(), []);
        assert_eq!((shard.owner.fold().seq, shard.owner.fold().pos), (2, fold.pos + 2));
        assert!(shard.owner.is_free());
    }

    #[test]
    fn a_foreign_claim_makes_the_owner_step_down_and_claim_above_it() {
        let folder = Folder::new();
        let store = SqliteStore::open(&folder.file(), 2).unwrap();
        let mut shard = Shard::new(&store, 0);
        shard.own();
        shard.append();
        let fold = shard.owner.fold().clone();
        let claim = foreign(&fold, Kind::Claim);
        intrude(&folder.file(), &claim, (fold.seq, fold.term + 1, record::chain(&fold.hash, &claim)));
        let events = shard.append();
        assert!(matches!(events[..], [Event::Dropped { .. }]), "{events:?}");
        assert!(!shard.owner.is_owner());
        // It reads who has claimed, and keeps away while that one may be at work.
        shard.owner.turn(&mut shard.journal, &mut shard.domain, 1, false).unwrap();
        assert!(shard.acks.is_empty());
        assert_eq!(shard.domain.0, 1, "the batch that was in flight is nowhere");
        shard.owner.turn(&mut shard.journal, &mut shard.domain, 10_000, false).unwrap();
        assert_eq!(shard.await_ack(), [Event::Owned]);
        assert_eq!(shard.owner.fold().term, fold.term + 2);
        assert_eq!(shard.append(), []);
    }

    #[test]
    fn damaged_bytes_halt() {
        let folder = Folder::new();
        {
            let store = SqliteStore::open(&folder.file(), 2).unwrap();
            let mut shard = Shard::new(&store, 0);
            shard.own();
            shard.append();
            shard.append();
        }
        let connection = Connection::open(folder.file()).unwrap();
        connection.execute("UPDATE journal SET record = substr(record, 1, 100) WHERE offset = 1", []).unwrap();
        let store = SqliteStore::open(&folder.file(), 2).unwrap();
        let mut shard = Shard::new(&store, 0);
        let halted = shard.owner.turn(&mut shard.journal, &mut shard.domain, 0, false);
        assert!(matches!(halted, Err(JournalError::Halted(Halt::Unreadable { offset: 1, .. }))), "{halted:?}");
        connection.execute("DELETE FROM journal WHERE offset = 1", []).unwrap();
        let mut shard = Shard::new(&store, 0);
        let halted = shard.owner.turn(&mut shard.journal, &mut shard.domain, 0, false);
        assert!(matches!(halted, Err(JournalError::Halted(Halt::Hole { expected: 1, found: 2 }))), "{halted:?}");
    }
}
