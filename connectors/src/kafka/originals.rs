//! The bytes of a dead letter, read again from the input log: the journal records only where it was and why.

use super::reader::{ReadFault, Reader, Until};
use super::{KafkaConfig, KafkaFault};
use rdkafka::message::Message;
use std::collections::{BTreeMap, BTreeSet};

pub struct Originals {
    reader: Reader,
}

impl Originals {
    pub fn new(config: &KafkaConfig) -> Result<Originals, KafkaFault> {
        Ok(Originals { reader: Reader::new(config, &config.topics.events, "originals reader")? })
    }

    /// The values of the records at these offsets, in one pass over what lies between them: a batch may have thousands.
    /// One that is missing is no longer held by the log (its retention has passed).
    pub fn read(&self, partition: u16, offsets: &BTreeSet<u64>) -> Result<BTreeMap<u64, Vec<u8>>, KafkaFault> {
        let (low, _) = self.reader.watermarks(partition)?;
        let mut found = BTreeMap::new();
        let (Some(first), Some(last)) = (offsets.range(low..).next().copied(), offsets.last().copied()) else {
            return Ok(found);
        };
        let read = self.reader.read::<()>(partition, first, Until::Past(last), &mut |offset, message| {
            if offsets.contains(&offset) {
                found.insert(offset, message.payload().unwrap_or_default().to_vec());
            }
            Ok(())
        });
        match read {
            Ok(_) | Err(ReadFault::Visitor(())) => Ok(found),
            Err(ReadFault::Kafka(fault)) => Err(fault),
        }
    }
}
