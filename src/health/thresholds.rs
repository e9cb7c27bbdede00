//! Where the limits lie and how grave each code is, when the user changed it.

use std::collections::BTreeMap;

use crate::model::Severity;

use super::code::{CodeDoc, explain, nearest};

/// Limits and severities that the user changed, by code.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thresholds {
    limits: BTreeMap<String, Limit>,
    severities: BTreeMap<String, Option<Severity>>,
}

/// From where on a measured value is a warning, and from where on critical, in the code's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limit {
    /// Above this (below, where the code's limit is a floor) it is a warning; `None` never.
    pub warning: Option<f64>,
    /// Above this (below) it is critical; `None` never.
    pub critical: Option<f64>,
}

/// A code that nothing can be set for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCode {
    /// No such code.
    #[error("there is no code '{code}'{}", did_you_mean(.near))]
    NoSuchCode {
        /// What was written.
        code: String,
        /// The nearest known one.
        near: Option<&'static str>,
    },
    /// The code is a yes or no: it has no limit.
    #[error("'{0}' measures nothing, so it has no limit; its severity can be set")]
    NoLimit(String),
    /// A limit that is no plain number.
    #[error("the limit of '{0}' must be a number of 0 or more")]
    NoNumber(String),
}

fn did_you_mean(near: &Option<&'static str>) -> String {
    near.map(|near| format!("; did you mean '{near}'?"))
        .unwrap_or_default()
}

impl Thresholds {
    /// Sets where a code's value becomes a warning and where critical, in the unit of its document.
    /// A `None` leaves that step at its default, or off where the default would come before the warning.
    pub fn set_limit(
        &mut self,
        code: &str,
        warning: Option<f64>,
        critical: Option<f64>,
    ) -> Result<(), UnknownCode> {
        let doc = known(code)?;
        let Some(limit) = doc.limit else {
            return Err(UnknownCode::NoLimit(code.to_owned()));
        };
        if [warning, critical]
            .into_iter()
            .flatten()
            .any(|value| !value.is_finite() || value < 0.0)
        {
            return Err(UnknownCode::NoNumber(code.to_owned()));
        }
        let warning = warning.or(limit.default.warning);
        // A default that would come before the warning that was asked for does not hold any more.
        let comes_after = |critical: &f64| {
            warning.is_none_or(|warning| {
                (*critical >= warning) != limit.is_floor || *critical == warning
            })
        };
        let limit = Limit {
            warning,
            critical: critical.or(limit.default.critical.filter(comes_after)),
        };
        self.limits.insert(code.to_owned(), limit);
        Ok(())
    }

    /// Sets how grave every finding of a code is; `None` switches the code off.
    pub fn set_severity(
        &mut self,
        code: &str,
        severity: Option<Severity>,
    ) -> Result<(), UnknownCode> {
        known(code)?;
        self.severities.insert(code.to_owned(), severity);
        Ok(())
    }

    /// Whether the user set a limit for the code.
    pub fn is_limit_set(&self, code: &str) -> bool {
        self.limits.contains_key(code)
    }

    /// The limit that holds for a code; nothing is ever bad for a code without one.
    pub fn limit(&self, doc: &CodeDoc) -> Limit {
        self.limits
            .get(doc.code)
            .copied()
            .or(doc.limit.map(|limit| limit.default))
            .unwrap_or_default()
    }

    /// What becomes of a finding that a rule made that grave; `None` when the code is off.
    pub fn severity(&self, code: &str, judged: Severity) -> Option<Severity> {
        self.severities.get(code).copied().unwrap_or(Some(judged))
    }

    /// How grave that value is; `None` when it is within the limits.
    pub fn grade(&self, doc: &CodeDoc, value: f64) -> Option<Severity> {
        let limit = self.limit(doc);
        let is_floor = doc.limit.is_some_and(|limit| limit.is_floor);
        let is_past = |step: Option<f64>| {
            step.is_some_and(|step| if is_floor { value < step } else { value > step })
        };
        match (is_past(limit.critical), is_past(limit.warning)) {
            (true, _) => Some(Severity::Critical),
            (false, true) => Some(Severity::Warning),
            (false, false) => None,
        }
    }
}

fn known(code: &str) -> Result<&'static CodeDoc, UnknownCode> {
    explain(code).ok_or_else(|| UnknownCode::NoSuchCode {
        code: code.to_owned(),
        near: nearest(code),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_code_names_the_nearest() {
        let error = Thresholds::default()
            .set_limit("memory.hgih", Some(70.0), None)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no code 'memory.hgih'; did you mean 'memory.high'?"
        );
        let error = Thresholds::default()
            .set_limit("node.down", Some(1.0), None)
            .unwrap_err();
        assert!(error.to_string().contains("measures nothing"), "{error}");
        let error = Thresholds::default()
            .set_limit("memory.high", Some(f64::NAN), None)
            .unwrap_err();
        assert!(error.to_string().contains("must be a number"), "{error}");
    }

    #[test]
    fn limits_may_be_ceilings_or_floors() {
        let thresholds = Thresholds::default();
        let high = explain("memory.high").unwrap();
        assert_eq!(thresholds.grade(high, 80.0), None);
        assert_eq!(thresholds.grade(high, 80.1), Some(Severity::Warning));
        assert_eq!(thresholds.grade(high, 99.0), Some(Severity::Critical));
        let certificate = explain("security.certificate").unwrap();
        assert_eq!(thresholds.grade(certificate, 40.0), None);
        assert_eq!(thresholds.grade(certificate, 29.0), Some(Severity::Warning));
        assert_eq!(
            thresholds.grade(certificate, -1.0),
            Some(Severity::Critical)
        );
    }

    #[test]
    fn what_the_user_set_holds() {
        let mut thresholds = Thresholds::default();
        thresholds
            .set_limit("memory.high", Some(50.0), None)
            .unwrap();
        let high = explain("memory.high").unwrap();
        assert_eq!(thresholds.grade(high, 60.0), Some(Severity::Warning));
        assert_eq!(thresholds.limit(high).critical, Some(90.0));
        // The default of 90 would be critical before it is a warning.
        thresholds
            .set_limit("memory.high", Some(95.0), None)
            .unwrap();
        assert_eq!(thresholds.grade(high, 93.0), None);
        assert_eq!(thresholds.grade(high, 99.0), Some(Severity::Warning));
        let certificate = explain("security.certificate").unwrap();
        let mut floor = |days| {
            let code = "security.certificate";
            thresholds.set_limit(code, Some(days), None).unwrap();
            thresholds.limit(certificate).critical
        };
        assert_eq!((floor(60.0), floor(3.0)), (Some(7.0), None));
        thresholds.set_severity("memory.high", None).unwrap();
        assert_eq!(thresholds.severity("memory.high", Severity::Critical), None);
    }
}
