//! Faults: what a drill does to a node, on purpose.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// SIGTERM: the server may say goodbye; a master waits for its replicas first (7.0 on).
    Stop,
    /// SIGKILL: as a crash, with nobody to start it again.
    Kill,
    /// Frozen: connections stay open and nothing answers.
    Pause,
    /// Cut off from the network, from clients and peers alike, and alive.
    Isolate,
    /// Cut off from its peers while clients still reach it: what it acknowledges then is lost.
    IsolatePeers,
    /// Cut off from the cluster bus alone, through the server itself: clients and replicas still
    /// reach it.
    IsolateBus,
    /// Held up again and again for a moment, so that every answer comes late.
    Slow,
    /// Killed and started again before the node timeout is over.
    FastRestart,
    /// SHUTDOWN NOSAVE through the server itself; its host starts it again.
    Shutdown,
    /// DEBUG SLEEP: the event loop stands still, and goes on by itself.
    Sleep,
    /// CLUSTER FAILOVER: master and replica agree to change places.
    Failover,
    /// CLUSTER FAILOVER FORCE: elected without the master's consent.
    Force,
    /// CLUSTER FAILOVER TAKEOVER: without election.
    Takeover,
}

impl Fault {
    /// Every fault, as they are named on the command line.
    pub const ALL: [Fault; 13] = [
        Fault::Stop,
        Fault::Kill,
        Fault::Pause,
        Fault::Isolate,
        Fault::IsolatePeers,
        Fault::IsolateBus,
        Fault::Slow,
        Fault::FastRestart,
        Fault::Shutdown,
        Fault::Sleep,
        Fault::Failover,
        Fault::Force,
        Fault::Takeover,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Stop => "stop",
            Fault::Kill => "kill",
            Fault::Pause => "pause",
            Fault::Isolate => "isolate",
            Fault::IsolatePeers => "isolate-peers",
            Fault::IsolateBus => "isolate-bus",
            Fault::Slow => "slow",
            Fault::FastRestart => "fast-restart",
            Fault::Shutdown => "shutdown",
            Fault::Sleep => "sleep",
            Fault::Failover => "failover",
            Fault::Force => "force",
            Fault::Takeover => "takeover",
        }
    }

    /// Whether it is done through the servers' own commands, so that no access to the machine is
    /// needed.
    pub fn is_in_band(self) -> bool {
        self.ends_by_itself() || self == Fault::IsolateBus
    }

    /// Whether there is nothing to put back.
    pub fn ends_by_itself(self) -> bool {
        self.is_handover() || self == Fault::Sleep
    }

    /// Whether a replica is asked to take its master's place.
    pub fn is_handover(self) -> bool {
        matches!(self, Fault::Failover | Fault::Force | Fault::Takeover)
    }

    /// Whether the node's process ends, so that its memory is gone.
    pub fn ends_process(self) -> bool {
        matches!(
            self,
            Fault::Stop | Fault::Kill | Fault::FastRestart | Fault::Shutdown
        )
    }

    /// Whether a master that it strikes is expected to lose its shard to a replica.
    pub fn causes_promotion(self) -> bool {
        !matches!(self, Fault::FastRestart | Fault::Slow)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        Fault::ALL
            .into_iter()
            .find(|fault| fault.name() == text)
            .ok_or_else(|| {
                let names = Fault::ALL.map(Fault::name).join(", ");
                format!("'{text}' is no fault: write one of {names}")
            })
    }
}
