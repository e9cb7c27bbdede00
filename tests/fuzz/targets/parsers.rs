//! No text makes a parser panic, and what a parser prints it reads back as the same.
#![no_main]

use goodcache::model::{Info, NodeAddr, NodeId, SlotSet, View};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = View::parse(&text);
    let _ = Info::parse(&text);
    let _ = text.parse::<NodeId>();
    if let Ok(addr) = text.parse::<NodeAddr>() {
        assert_eq!(addr.to_string().parse(), Ok(addr));
    }
    if let Ok(slots) = text.parse::<SlotSet>() {
        assert_eq!(slots.to_string().parse(), Ok(slots));
    }
});
