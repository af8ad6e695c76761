//! The broker's ids of topics: a topic deleted and made anew has the same name and another id.
//!
//! librdkafka has them only in DescribeTopics, which the safe wrapper does not offer: this file is the one place of
//! the Kafka connector that calls librdkafka by hand.

use super::KafkaFault;
use rdkafka::bindings as native;
use rdkafka::client::{Client, ClientContext};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

/// The id of each of these topics by its name, base64 as Kafka's own tools print it.
pub(super) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    names: &[&str],
    timeout: Duration,
) -> Result<BTreeMap<String, String>, KafkaFault> {
    let fail = |what: &str| KafkaFault::Unreachable(format!("the ids of the topics could not be read: {what}"));
    let names: Vec<CString> = names
        .iter()
        .map(|name| CString::new(*name))
        .collect::<Result<_, _>>()
        .map_err(|_| KafkaFault::Refused("a topic's name has a zero byte in it".into()))?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let timeout_ms = timeout.as_millis().min(i32::MAX as u128) as i32;
    // SAFETY: the client outlives the call. Every object made here is destroyed below, exactly once; DescribeTopics
    // copies the names and the options; the event owns whatever `ids_of` looks at and lives until after it.
    unsafe {
        let handle = client.native_ptr();
        let topics = native::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options =
            native::rd_kafka_AdminOptions_new(handle, native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        native::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ptr::null_mut(), 0);
        let queue = native::rd_kafka_queue_new(handle);
        native::rd_kafka_DescribeTopics(handle, topics, options, queue);
        // A little longer than the request's own limit, so that its error is what is reported.
        let event = native::rd_kafka_queue_poll(queue, timeout_ms.saturating_add(1_000));
        let ids = if event.is_null() { Err("no answer".to_string()) } else { ids_of(event) };
        if !event.is_null() {
            native::rd_kafka_event_destroy(event);
        }
        native::rd_kafka_queue_destroy(queue);
        native::rd_kafka_AdminOptions_destroy(options);
        native::rd_kafka_TopicCollection_destroy(topics);
        ids.map_err(|what| fail(&what))
    }
}

/// # Safety
/// `event` is a live event of librdkafka.
unsafe fn ids_of(event: *mut native::rd_kafka_event_t) -> Result<BTreeMap<String, String>, String> {
    // SAFETY: each pointer comes from librdkafka, is checked where it may be null, and is owned by the event, which
    // the caller keeps. The id's text is cached in the id and copied here.
    unsafe {
        let code = native::rd_kafka_event_error(event);
        if code != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(text(native::rd_kafka_event_error_string(event)));
        }
        let result = native::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err("the answer is not one to DescribeTopics".into());
        }
        let mut count = 0;
        let topics = native::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        (0..count)
            .map(|index| {
                let topic = *topics.add(index);
                let fault = native::rd_kafka_TopicDescription_error(topic);
                if !fault.is_null()
                    && native::rd_kafka_error_code(fault) != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                {
                    return Err(text(native::rd_kafka_error_string(fault)));
                }
                let id = native::rd_kafka_TopicDescription_topic_id(topic);
                if id.is_null() {
                    return Err("a topic without id".into());
                }
                Ok((text(native::rd_kafka_TopicDescription_name(topic)), text(native::rd_kafka_Uuid_base64str(id))))
            })
            .collect()
    }
}

/// # Safety
/// `from` is null or a zero-terminated string.
unsafe fn text(from: *const c_char) -> String {
    if from.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned()
}
