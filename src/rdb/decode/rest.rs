//! What follows a stream's nodes: counters, then consumer groups with what is pending in them.
//!
//! What older types lack (first id, largest deleted id, entries added and read, when a consumer was active)
//! is passed over: it would differ between versions that hold the same data. A group may have millions of
//! pending entries, so each is a step of its own.

use super::super::cut::Cut;
use super::super::error::Fault;
use super::super::kind::PRODUCERS;
use super::super::value::Walk;
use super::Element;
use super::stream::stream_id;

/// The walk over it.
#[derive(Debug)]
pub(super) struct Rest {
    kind: u8,
    groups: u64,
    consumers: u64,
    stage: Stage,
}

/// What comes next, and how many of it.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Counters,
    Groups,
    Pending(u64),
    Consumers,
    Owned(u64),
    /// Pending entries that no consumer owns any more: that they are not owned says so.
    HandedBack(u64),
    Producers(Walk),
    Over,
}

impl Rest {
    pub(super) fn new(kind: u8) -> Rest {
        Rest {
            kind,
            groups: 0,
            consumers: 0,
            stage: Stage::Counters,
        }
    }

    /// Shows the next thing, if it is one that is shown; false at the end. On [`Fault::Truncated`] it goes
    /// on from where the cut stands.
    pub(super) fn step(
        &mut self,
        cut: &mut Cut<'_>,
        name: &mut Vec<u8>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<bool, Fault> {
        self.stage = match self.stage {
            Stage::Counters => cut.whole(|cut| self.counters(cut, see))?,
            Stage::Groups if self.groups > 0 => {
                let next = cut.whole(|cut| self.group(cut, name, see))?;
                self.groups -= 1;
                next
            }
            Stage::Groups if self.kind >= 26 => Stage::Producers(Walk::new(PRODUCERS)),
            Stage::Groups | Stage::Over => Stage::Over,
            Stage::Pending(0) => {
                self.consumers = cut.length()?;
                Stage::Consumers
            }
            Stage::Pending(left) => {
                cut.whole(|cut| pending(cut, see))?;
                Stage::Pending(left - 1)
            }
            Stage::Consumers if self.consumers > 0 => {
                let next = cut.whole(|cut| self.consumer(cut, name, see))?;
                self.consumers -= 1;
                next
            }
            Stage::Consumers if self.kind == 27 => Stage::HandedBack(cut.length()?),
            Stage::Owned(0) => Stage::Consumers,
            Stage::Owned(left) => {
                see(Element::Owned(stream_id(cut.array()?)));
                Stage::Owned(left - 1)
            }
            Stage::Consumers | Stage::HandedBack(0) => Stage::Groups,
            Stage::HandedBack(left) => {
                cut.take(16)?;
                Stage::HandedBack(left - 1)
            }
            Stage::Producers(mut walk) => {
                let walked = walk.go(cut);
                self.stage = Stage::Producers(walk);
                walked?;
                Stage::Over
            }
        };
        Ok(!matches!(self.stage, Stage::Over))
    }

    fn counters(
        &mut self,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<Stage, Fault> {
        let length = cut.length()?;
        let last = (cut.length()?, cut.length()?);
        if self.kind != 15 {
            for _ in 0..5 {
                cut.length()?;
            }
        }
        self.groups = cut.length()?;
        see(Element::Stream { length, last });
        Ok(Stage::Groups)
    }

    fn group(
        &self,
        cut: &mut Cut<'_>,
        name: &mut Vec<u8>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<Stage, Fault> {
        let name = cut.string()?.bytes(name)?;
        let last = (cut.length()?, cut.length()?);
        if self.kind != 15 {
            cut.length()?;
        }
        let pending = cut.length()?;
        see(Element::Group { name, last });
        Ok(Stage::Pending(pending))
    }

    fn consumer(
        &self,
        cut: &mut Cut<'_>,
        name: &mut Vec<u8>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<Stage, Fault> {
        let name = cut.string()?.bytes(name)?;
        cut.take(if self.kind >= 21 { 16 } else { 8 })?;
        let owned = cut.length()?;
        see(Element::Consumer(name));
        Ok(Stage::Owned(owned))
    }
}

fn pending(cut: &mut Cut<'_>, see: &mut impl FnMut(Element<'_>)) -> Result<(), Fault> {
    let id = stream_id(cut.array()?);
    let delivered_ms = u64::from_le_bytes(cut.array()?);
    let count = cut.length()?;
    see(Element::Pending {
        id,
        delivered_ms,
        count,
    });
    Ok(())
}
