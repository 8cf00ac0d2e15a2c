//! Which data a release understands. Data of an older release is brought up to date when it is opened, in one
//! transaction, so that a crash leaves it old or new and never between; data of a newer one is left alone.

use std::path::Path;

use redb::{Database, ReadableDatabase as _, TableHandle as _, WriteTransaction};

use crate::disk::{META, META_FORMAT, format_of};
use crate::error::{Error, Result};

/// The data format this release writes. Raise it with every change that an older release would misread, and add
/// the migration from the one before.
pub(crate) const FORMAT: u64 = 1;

/// One for each format before the present: the first leads from format 1 to 2, and so on.
pub(super) const MIGRATIONS: &[Migration] = &[];

/// Changes the tables from one format to the next; the number is changed by the caller.
pub(super) type Migration = fn(&WriteTransaction) -> Result<()>;

const _: () = assert!(
    MIGRATIONS.len() as u64 + 1 == FORMAT,
    "each older format has its migration"
);

/// Refuses newer data and migrates older. `migrations` lead, one by one, from format 1 to the present.
pub(super) fn settle(dir: &Path, database: &Database, migrations: &[Migration]) -> Result<()> {
    let doing = "reading the data format";
    let present = migrations.len() as u64 + 1;
    let found = {
        let read = database.begin_read().map_err(Error::storage(doing))?;
        let known = read
            .list_tables()
            .map_err(Error::storage(doing))?
            .any(|table| table.name() == META.name());
        if !known {
            return Err(Error::corrupt("file", "it has no table that tells its format"));
        }
        format_of(&read.open_table(META).map_err(Error::storage(doing))?)?
    };
    if found > present {
        return Err(Error::NewerFormat {
            dir: dir.to_owned(),
            found,
            supported: present,
        });
    }
    let done = found
        .checked_sub(1)
        .and_then(|done| usize::try_from(done).ok())
        .ok_or_else(|| Error::corrupt("file", format!("format {found} was never released")))?;
    let left = migrations.get(done..).unwrap_or_default();
    if left.is_empty() {
        return Ok(());
    }
    let doing = "bringing the data up to date";
    tracing::info!(dir = %dir.display(), from = found, to = present, doing);
    let transaction = database.begin_write().map_err(Error::storage(doing))?;
    for migrate in left {
        migrate(&transaction)?;
    }
    transaction
        .open_table(META)
        .map_err(Error::storage(doing))?
        .insert(META_FORMAT, present)
        .map_err(Error::storage(doing))?;
    transaction.commit().map_err(Error::storage(doing))
}

#[cfg(test)]
mod tests {
    use redb::ReadableTable as _;
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::disk::{KEYS, initialize};

    fn database() -> Database {
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .unwrap();
        initialize(&database).unwrap();
        database
    }

    fn append(transaction: &WriteTransaction, letter: &[u8]) -> Result<()> {
        let mut keys = transaction.open_table(KEYS).map_err(Error::storage("testing"))?;
        let mut text = keys
            .get(&b"k"[..])
            .unwrap()
            .map_or(Vec::new(), |text| text.value().to_vec());
        text.extend_from_slice(letter);
        keys.insert(&b"k"[..], text.as_slice()).unwrap();
        Ok(())
    }

    fn second(transaction: &WriteTransaction) -> Result<()> {
        append(transaction, b"2")
    }

    fn third(transaction: &WriteTransaction) -> Result<()> {
        append(transaction, b"3")
    }

    fn fails(transaction: &WriteTransaction) -> Result<()> {
        append(transaction, b"x")?;
        Err(Error::corrupt("test", "it cannot be migrated"))
    }

    fn state(database: &Database) -> (u64, Vec<u8>) {
        let read = database.begin_read().unwrap();
        let format = format_of(&read.open_table(META).unwrap()).unwrap();
        let text = read.open_table(KEYS).unwrap().get(&b"k"[..]).unwrap();
        (format, text.map_or(Vec::new(), |text| text.value().to_vec()))
    }

    fn set_format(database: &Database, format: u64) {
        let write = database.begin_write().unwrap();
        write
            .open_table(META)
            .unwrap()
            .insert(META_FORMAT, format)
            .unwrap();
        write.commit().unwrap();
    }

    #[test]
    fn older_data_is_brought_up_to_date_once_and_in_order() {
        let (database, dir) = (database(), Path::new("/data"));
        set_format(&database, 1);
        settle(dir, &database, &[]).unwrap();
        assert_eq!(state(&database), (1, vec![]));
        settle(dir, &database, &[second]).unwrap();
        assert_eq!(state(&database), (2, b"2".to_vec()));
        settle(dir, &database, &[second, third]).unwrap();
        settle(dir, &database, &[second, third]).unwrap();
        assert_eq!(state(&database), (3, b"23".to_vec()));
        // From the first, over several at once.
        let older = self::database();
        set_format(&older, 1);
        settle(dir, &older, &[second, third]).unwrap();
        assert_eq!(state(&older), (3, b"23".to_vec()));
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let (database, dir) = (database(), Path::new("/data"));
        set_format(&database, 1);
        let failed = settle(dir, &database, &[second, fails]).unwrap_err();
        assert!(failed.to_string().contains("cannot be migrated"), "{failed}");
        assert_eq!(state(&database), (1, vec![]), "not even the step that went well");
        settle(dir, &database, &[second, third]).unwrap();
        assert_eq!(state(&database), (3, b"23".to_vec()));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_left_alone() {
        let (database, dir) = (database(), Path::new("/data"));
        set_format(&database, 4);
        let refused = settle(dir, &database, &[second, third]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "cannot open the store in /data: its data has format 4, this release reads up to format 3; \
             run the newer release that wrote it"
        );
        assert_eq!(state(&database), (4, vec![]));
        set_format(&database, 0);
        let refused = settle(dir, &database, &[second]).unwrap_err();
        assert!(
            refused.to_string().contains("format 0 was never released"),
            "{refused}"
        );
        let empty = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .unwrap();
        let refused = settle(dir, &empty, &[]).unwrap_err();
        assert!(
            refused.to_string().contains("no table that tells its format"),
            "{refused}"
        );
    }
}
