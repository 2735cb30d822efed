//! age(later, earlier): how much time lies between two moments, in whole years, months and days as
//! a calendar counts them. What is left of a month is counted in days of the earlier one's, as
//! PostgreSQL does. Moments of a time zone are taken as clocks in the session's show them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, TimestampMicrosecondType};
use datafusion::error::Result as DfResult;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::convert::convert;
use crate::error::BridgeError;
use crate::interval::INTERVAL;
use crate::timezone::{clock, moment};

pub fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(Age {
        signature: Signature::user_defined(Volatility::Stable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Age {
    signature: Signature,
}

impl ScalarUDFImpl for Age {
    fn name(&self) -> &str {
        "age"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        let coerced = types.iter().map(|t| match t {
            DataType::Timestamp(_, Some(_)) => Some(moment(Some("UTC"))),
            DataType::Timestamp(_, None) | DataType::Date32 | DataType::Null => Some(moment(None)),
            t if crate::types::is_text(t) => Some(moment(None)),
            _ => None,
        });
        match coerced.collect::<Option<Vec<_>>>() {
            Some(types) if types.len() == 2 => Ok(types),
            _ => Err(BridgeError::new("42883", "age() takes one or two timestamps").into()),
        }
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(INTERVAL)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let zone = args.config_options.execution.time_zone.clone();
        let clock_of = |time: &ArrayRef| match time.data_type() {
            DataType::Timestamp(_, Some(_)) => {
                let there = moment(Some(zone.as_deref().unwrap_or("UTC")));
                clock(convert(time, &there)?, &args)
            }
            _ => Ok(convert(time, &moment(None))?),
        };
        let ages = |times: &[ArrayRef]| -> DfResult<ArrayRef> {
            let (later, earlier) = (clock_of(&times[0])?, clock_of(&times[1])?);
            let later = later.as_primitive::<TimestampMicrosecondType>();
            let earlier = earlier.as_primitive::<TimestampMicrosecondType>();
            let ages = later.iter().zip(earlier);
            let ages = ages.map(|(a, b)| Some(between(a?, b?)));
            Ok(Arc::new(ages.collect::<IntervalMonthDayNanoArray>()))
        };
        make_scalar_function(ages, vec![])(&args.args)
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Year, month (from 0), day (from 1), and the time of the day.
fn fields(micros: i64) -> (i64, i64, i64, i64) {
    let (days, time) = (
        micros.div_euclid(MICROS_PER_DAY),
        micros.rem_euclid(MICROS_PER_DAY),
    );
    // Years that begin in March, in eras of 400 years: leap days come last.
    let from_era = days + 719_468;
    let (era, day_of_era) = (from_era.div_euclid(146_097), from_era.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12;
    let year = year_of_era + era * 400 + i64::from(month < 2);
    (year, month, day, time)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        1 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

fn between(a: i64, b: i64) -> IntervalMonthDayNano {
    let sign = if a < b { -1 } else { 1 };
    let (later, earlier) = (fields(a.max(b)), fields(a.min(b)));
    let mut months = 12 * (later.0 - earlier.0) + later.1 - earlier.1;
    let mut days = later.2 - earlier.2;
    let mut time = later.3 - earlier.3;
    if time < 0 {
        time += MICROS_PER_DAY;
        days -= 1;
    }
    while days < 0 {
        days += days_of_month(earlier.0, earlier.1);
        months -= 1;
    }
    IntervalMonthDayNano::new(
        (sign * months) as i32,
        (sign * days) as i32,
        sign * time * 1000,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = MICROS_PER_DAY;

    #[test]
    fn a_day_has_its_date() {
        assert_eq!(fields(0), (1970, 0, 1, 0));
        assert_eq!(fields(-1), (1969, 11, 31, DAY - 1));
        assert_eq!(fields(11_016 * DAY), (2000, 1, 29, 0));
        assert_eq!(fields(11_017 * DAY + 5), (2000, 2, 1, 5));
    }

    #[test]
    fn an_age_counts_months_before_days() {
        // 2000-02-29 and 2000-03-31
        let (february, march) = (11_016 * DAY, 11_047 * DAY);
        assert_eq!(between(march, february), IntervalMonthDayNano::new(1, 2, 0));
        assert_eq!(
            between(february, march),
            IntervalMonthDayNano::new(-1, -2, 0)
        );
        // an hour before
        let hour = DAY / 24;
        assert_eq!(
            between(march - hour, february),
            IntervalMonthDayNano::new(1, 1, 23 * hour * 1000)
        );
    }
}
