//! Prices, from a file that the user gives; goodcache ships none, since they change and differ by
//! region and contract. `prices.example.yaml` beside this file shows what it looks like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::NodeSize;

/// Hours of a month, as the clouds count them.
const HOURS_PER_MONTH: f64 = 730.0;

/// A price file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// As of when they hold, `YYYY-MM-DD`.
    pub date: String,
    /// In what they are counted, such as `EUR`.
    pub currency: String,
    /// Where they hold.
    pub region: String,
    /// By the name of the node size.
    pub sizes: BTreeMap<String, Price>,
}

/// What one node costs (of a size that is a whole instance: what the instance costs).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// An hour without commitment.
    pub on_demand_per_hour: f64,
    /// With a reservation.
    #[serde(default)]
    pub reserved: Option<Reserved>,
}

/// What a reservation costs.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reserved {
    /// For how long, in years.
    pub years: f64,
    /// At once.
    #[serde(default)]
    pub upfront: f64,
    /// An hour, besides.
    #[serde(default)]
    pub per_hour: f64,
}

/// What a layout costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// A month of all nodes without commitment.
    pub on_demand_per_month: f64,
    /// A month of all nodes with a reservation, what is paid at once spread over its time.
    pub reserved_per_month: Option<f64>,
    /// After so many months the reservation is cheaper than none; `None` when it never is.
    pub break_even_months: Option<f64>,
}

/// What is wrong with a price file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PriceError {
    /// A head that says nothing.
    #[error("the prices have no {0}: without it nobody knows what they are worth")]
    Missing(&'static str),
    /// A size that is in no list.
    #[error("prices are given for '{name}', which is no node size that goodcache knows")]
    UnknownSize {
        /// As written.
        name: String,
        /// The names that are known.
        known: Vec<String>,
    },
    /// Not an amount of money.
    #[error("the price of {name} is {amount}: a price is a number from 0 on")]
    Amount {
        /// Of which size.
        name: String,
        /// As written.
        amount: f64,
    },
    /// A reservation for no time.
    #[error("{0} is reserved for no time: write years: 1 or years: 3")]
    NoTime(String),
}

impl Prices {
    /// The example that the documentation shows.
    pub fn example() -> &'static str {
        include_str!("prices.example.yaml")
    }

    /// Refuses what makes no sense before anything is reckoned with it.
    pub fn check(&self, sizes: &[NodeSize]) -> Result<(), PriceError> {
        for (word, text) in [
            ("date", &self.date),
            ("currency", &self.currency),
            ("region", &self.region),
        ] {
            if text.trim().is_empty() {
                return Err(PriceError::Missing(word));
            }
        }
        for (name, price) in &self.sizes {
            if !sizes.iter().any(|size| size.name == *name) {
                return Err(PriceError::UnknownSize {
                    name: name.clone(),
                    known: sizes.iter().map(|size| size.name.clone()).collect(),
                });
            }
            check_price(name, price)?;
        }
        Ok(())
    }

    /// What so many nodes of that size cost; `None` without a price for it.
    pub fn cost(&self, size: &str, nodes: usize) -> Option<Cost> {
        let price = self.sizes.get(size)?;
        let nodes = nodes as f64;
        let on_demand = price.on_demand_per_hour * HOURS_PER_MONTH * nodes;
        let reserved = price.reserved.map(|reserved| {
            let spread = reserved.upfront / (reserved.years * 12.0);
            (spread + reserved.per_hour * HOURS_PER_MONTH) * nodes
        });
        Some(Cost {
            on_demand_per_month: on_demand,
            reserved_per_month: reserved,
            break_even_months: price.reserved.and_then(|r| break_even(price, &r)),
        })
    }
}

fn check_price(name: &str, price: &Price) -> Result<(), PriceError> {
    let reserved = price
        .reserved
        .map_or(vec![], |r| vec![r.upfront, r.per_hour]);
    let mut amounts = std::iter::once(price.on_demand_per_hour).chain(reserved);
    if let Some(amount) = amounts.find(|amount| !(amount.is_finite() && *amount >= 0.0)) {
        let name = name.to_owned();
        return Err(PriceError::Amount { name, amount });
    }
    let is_timeless = |reserved: Reserved| !(reserved.years.is_finite() && reserved.years > 0.0);
    match price.reserved.is_some_and(is_timeless) {
        true => Err(PriceError::NoTime(name.to_owned())),
        false => Ok(()),
    }
}

/// When what was saved has paid what was given at once.
fn break_even(price: &Price, reserved: &Reserved) -> Option<f64> {
    let saved = (price.on_demand_per_hour - reserved.per_hour) * HOURS_PER_MONTH;
    let months = reserved.upfront / saved;
    (saved > 0.0 && months <= reserved.years * 12.0).then_some(months)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tune::size::catalogue::Catalogue;

    fn example() -> Prices {
        serde_yaml::from_str(Prices::example()).unwrap()
    }

    #[test]
    fn the_example_is_taken_as_it_stands() {
        example().check(&Catalogue::shipped().sizes()).unwrap();
        assert!(!example().sizes.is_empty());
    }

    #[test]
    fn costs_are_of_all_nodes_and_a_month() {
        let price = Price {
            on_demand_per_hour: 1.0,
            reserved: Some(Reserved {
                years: 1.0,
                upfront: 1200.0,
                per_hour: 0.5,
            }),
        };
        let mut prices = example();
        prices.sizes.insert("cache.r7g.large".into(), price);
        let cost = prices.cost("cache.r7g.large", 6).unwrap();
        assert!((cost.on_demand_per_month - 4380.0).abs() < 1e-9);
        assert!((cost.reserved_per_month.unwrap() - 2790.0).abs() < 1e-9);
        assert!((cost.break_even_months.unwrap() - 1200.0 / 365.0).abs() < 1e-9);
        assert_eq!(prices.cost("cache.r7g.huge", 6), None);
    }

    #[test]
    fn a_reservation_that_never_pays_says_so() {
        let price = Price {
            on_demand_per_hour: 1.0,
            reserved: Some(Reserved {
                years: 1.0,
                upfront: 0.0,
                per_hour: 2.0,
            }),
        };
        let mut prices = example();
        prices.sizes.insert("P1".into(), price);
        assert_eq!(prices.cost("P1", 1).unwrap().break_even_months, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let sizes = Catalogue::shipped().sizes();
        let with = |change: fn(&mut Prices)| {
            let mut prices = example();
            change(&mut prices);
            prices.check(&sizes).unwrap_err().to_string()
        };
        let price = |amount| Price {
            on_demand_per_hour: amount,
            reserved: None,
        };
        for (told, why) in [
            (with(|p| p.date.clear()), "no date"),
            (with(|p| p.currency = " ".into()), "no currency"),
            (with(|p| p.region.clear()), "no region"),
        ] {
            assert!(told.contains(why), "{told}");
        }
        for (name, given, why) in [
            ("cache.r7g.larg", price(1.0), "no node size"),
            ("P1", price(-1.0), "from 0 on"),
            ("P1", price(f64::NAN), "from 0 on"),
            (
                "P1",
                Price {
                    reserved: Some(Reserved {
                        years: 0.0,
                        upfront: 1.0,
                        per_hour: 0.0,
                    }),
                    ..price(1.0)
                },
                "for no time",
            ),
        ] {
            let mut prices = example();
            prices.sizes.insert(name.into(), given);
            let told = prices.check(&sizes).unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
        let mistyped = "date: x\ncurrency: EUR\nregion: y\nsizes: {P1: {on_demand: 1}}\n";
        let error = serde_yaml::from_str::<Prices>(mistyped)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown field `on_demand`"), "{error}");
    }
}
