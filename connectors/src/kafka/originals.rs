//! The bytes of a dead letter, read again from the input log: the journal records only where it was and why.

use super::reader::{ReadFault, Reader, Until};
use super::{KafkaConfig, KafkaFault};
use rdkafka::message::Message;

pub struct Originals {
    reader: Reader,
}

impl Originals {
    pub fn new(config: &KafkaConfig) -> Result<Originals, KafkaFault> {
        Ok(Originals { reader: Reader::new(config, &config.topics.events, "originals reader")? })
    }

    /// The value of the record at this offset; None if the log no longer holds it (its retention has passed).
    pub fn read(&self, partition: u16, offset: u64) -> Result<Option<Vec<u8>>, KafkaFault> {
        let (low, _) = self.reader.watermarks(partition)?;
        if low > offset {
            return Ok(None);
        }
        let mut bytes = None;
        let read = self.reader.read::<()>(partition, offset, Until::Past(offset), &mut |found, message| {
            if found == offset {
                bytes = Some(message.payload().unwrap_or_default().to_vec());
            }
            Ok(())
        });
        match read {
            Ok(_) | Err(ReadFault::Visitor(())) => Ok(bytes),
            Err(ReadFault::Kafka(fault)) => Err(fault),
        }
    }
}
