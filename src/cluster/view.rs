//! Reads a reply of CLUSTER NODES, more strictly than the model does.
//!
//! A file may hold a view of any kind, but a server that was asked just now names itself, names
//! each node once, and announces only what can be an address. One that does not is no cluster node,
//! and what it says is not carried any further: names are dialled and printed later.

use std::net::Ipv4Addr;

use super::error::{NodeError, printable};
use super::node::Reply;
use crate::model::{NodeAddr, Peer, View};

/// The view in that reply.
pub(super) fn read_view(addr: &NodeAddr, reply: &Reply) -> Result<View, NodeError> {
    let bad = |why: String| NodeError::BadReply {
        addr: addr.clone(),
        to: "CLUSTER NODES",
        why: printable(&why),
    };
    let text = reply
        .text()
        .ok_or_else(|| bad("it sent no text".to_owned()))?;
    let view = View::parse(&text).map_err(|error| {
        let said = error.to_string();
        bad(said.trim_start_matches("CLUSTER NODES ").to_owned())
    })?;
    is_sound(&view).map_err(bad)?;
    Ok(view)
}

fn is_sound(view: &View) -> Result<(), String> {
    let itself = view.peers.iter().filter(|peer| peer.flags.myself).count();
    if itself != 1 {
        return Err(format!(
            "{itself} of {} lines say 'myself', where one belongs",
            view.peers.len()
        ));
    }
    // Sorted by id, so that equal ones are neighbours.
    if let Some(pair) = view.peers.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(format!("node {} stands there twice", pair[0].id));
    }
    let odd = |peer: &&Peer| !is_addressable(peer);
    match view.peers.iter().find(odd) {
        Some(peer) => Err(format!(
            "node {} announces '{}', which is no host",
            peer.id.short(),
            peer.announced
                .hostname
                .as_ref()
                .unwrap_or(&peer.announced.ip)
        )),
        None => Ok(()),
    }
}

/// Whether what it announces reads back as the same address.
fn is_addressable(peer: &Peer) -> bool {
    // Almost every line; with a hundred nodes there are ten thousand.
    if peer.announced.hostname.is_none() && peer.announced.ip.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    [peer.announced.endpoint(), peer.announced.ip_endpoint()]
        .into_iter()
        .flatten()
        .all(|addr| addr.to_string().parse::<NodeAddr>() == Ok(addr))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "07c37dfeb235213a872192d90877d0cd55635b91";
    const B: &str = "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1";

    fn read(text: &str) -> Result<View, String> {
        let addr = NodeAddr::new("a", 1);
        read_view(&addr, &Reply::Bytes(text.into())).map_err(|error| error.to_string())
    }

    #[test]
    fn what_no_sound_server_says_is_refused_and_named() {
        let me = format!("{A} 10.0.0.1:1@2 myself,master - 0 0 1 connected 0-16383\n");
        assert_eq!(read(&me).unwrap().peers.len(), 1);
        for (text, why) in [
            (String::new(), "0 of 0 lines say 'myself'"),
            (me.replace("myself,", ""), "0 of 1 lines say 'myself'"),
            (format!("{me}{}", me.replace(A, B)), "2 of 2 lines"),
            (
                format!("{me}{}", me.replace("myself,", "")),
                "stands there twice",
            ),
            (
                me.replace("@2", "@2,evil\u{1b}[31m"),
                "'evil\\u{1b}[31m', which is no host",
            ),
            (me.replace("10.0.0.1", "a/b"), "'a/b', which is no host"),
            (me.replace("master", "master\u{7f} x"), "line 1"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
        let none = read_view(&NodeAddr::new("a", 1), &Reply::Integer(7)).unwrap_err();
        assert!(none.to_string().contains("1 fields"), "{none}");
    }
}
