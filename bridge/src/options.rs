//! Switches of our own in DataFusion's configuration: `SET trefoil.join_order = off`.
//!
//! Each turns one optimisation off, for comparing answers and times; none changes an answer. Beside
//! them stands what nobody sets: whether a plan is made for little memory.

use std::any::Any;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::{DataFusionError, Result as DfResult};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    DynamicFilters,
    JoinOrder,
    LateFetch,
    MergeJoins,
    MetadataAggregates,
}

const SWITCHES: [(Switch, &str, &str); 5] = [
    (
        Switch::DynamicFilters,
        "dynamic_filters",
        "let scans drop rows by what joins and top-k sorts have found out so far",
    ),
    (
        Switch::JoinOrder,
        "join_order",
        "join in the order that statistics say is cheapest, not in the order of FROM",
    ),
    (
        Switch::LateFetch,
        "late_fetch",
        "where a LIMIT keeps few rows, sort only what is compared and read the rest of these rows",
    ),
    (
        Switch::MergeJoins,
        "merge_joins",
        "merge two inputs that indexes have in the order of a join's keys, where that is cheaper",
    ),
    (
        Switch::MetadataAggregates,
        "metadata_aggregates",
        "answer count(*), min and max of a whole table without reading it",
    ),
];

#[derive(Clone, Debug, Default)]
pub struct Options {
    off: [bool; SWITCHES.len()],
    frugal: bool,
}

impl ConfigExtension for Options {
    const PREFIX: &'static str = "trefoil";
}

/// True unless `switch` was turned off.
pub fn is_on(config: &ConfigOptions, switch: Switch) -> bool {
    let options = config.extensions.get::<Options>();
    options.is_none_or(|o| {
        SWITCHES
            .iter()
            .zip(o.off)
            .all(|(s, off)| s.0 != switch || !off)
    })
}

/// True if the plan is made because another ran out of memory.
pub fn is_frugal(config: &ConfigOptions) -> bool {
    config.extensions.get::<Options>().is_some_and(|o| o.frugal)
}

pub fn be_frugal(config: &mut ConfigOptions) {
    if let Some(options) = config.extensions.get_mut::<Options>() {
        options.frugal = true;
    }
}

impl ExtensionOptions for Options {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }
    fn set(&mut self, key: &str, value: &str) -> DfResult<()> {
        let invalid = |what: &str| DataFusionError::Configuration(what.to_string());
        let at = SWITCHES.iter().position(|s| s.1 == key);
        let at = at.ok_or_else(|| invalid("no such switch"))?;
        self.off[at] = match value.to_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => false,
            "off" | "false" | "no" | "0" => true,
            _ => return Err(invalid("It is a switch: use on or off.")),
        };
        Ok(())
    }
    fn entries(&self) -> Vec<ConfigEntry> {
        let entry = |(i, (_, name, about)): (usize, &(Switch, &str, &'static str))| ConfigEntry {
            key: format!("trefoil.{name}"),
            value: Some(if self.off[i] { "off" } else { "on" }.to_string()),
            description: about,
        };
        SWITCHES.iter().enumerate().map(entry).collect()
    }
}
