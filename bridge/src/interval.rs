//! Intervals as text, interval * number and interval / number.
//!
//! Arrow reads `1 day 2 hours`. PostgreSQL, and our own output, have more forms (`with_units`):
//!
//!     1 day 02:03:04.5     -02:30     1-2 (years and months)     2 days ago     P1Y2M3DT4H5M6S
//!
//! Multiples: months, days and hours are multiplied each for itself. What is left of a month counts
//! as days, of which a month has 30, and what is left of a day as hours, of which a day has 24; the
//! result is in whole microseconds. This is what PostgreSQL does.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::error::Result as DfResult;
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, cast,
};

use crate::error::BridgeError;

/// An interval in the form that Arrow reads; None if it is in that form, or in none.
pub fn with_units(text: &str) -> Option<String> {
    if let Some(iso) = text.trim().strip_prefix('P') {
        return iso_with_units(iso);
    }
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let ago = words.last().is_some_and(|w| w.eq_ignore_ascii_case("ago"));
    if ago {
        words.pop();
    }
    let mut out = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let (sign, bare) = signed(word);
        if bare.contains(':') {
            let mut units = ["hours", "minutes", "seconds"].iter();
            for number in bare.split(':') {
                out.push(format!("{sign}{number} {}", units.next()?));
            }
        } else if let Some((years, months)) = bare.split_once('-') {
            out.push(format!("{sign}{years} years {sign}{months} months"));
        } else if is_number(bare) && words.get(i + 1).is_none_or(|next| next.contains(':')) {
            let last = i + 1 == words.len();
            let unit = if last { "seconds" } else { "days" };
            out.push(format!("{sign}{bare} {unit}"));
        } else if *word != "@" {
            out.push(format!("{sign}{bare}"));
        }
    }
    let all = out.join(" ");
    match ago {
        true => Some(negated(&all)),
        false => (all != words.join(" ")).then_some(all),
    }
}

/// An interval as we show it: 1 year 2 mons -3 days +04:05:06.7
pub fn text_of(interval: IntervalMonthDayNano) -> String {
    let mut out = String::new();
    let mut before = false;
    let (months, days) = (interval.months, interval.days);
    for (number, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if number == 0 {
            continue;
        }
        let space = if out.is_empty() { "" } else { " " };
        let plus = if before && number > 0 { "+" } else { "" };
        let plural = if number == 1 { "" } else { "s" };
        out += &format!("{space}{plus}{number} {unit}{plural}");
        before = number < 0;
    }
    let nanos = interval.nanoseconds;
    if nanos == 0 && !out.is_empty() {
        return out;
    }
    let space = if out.is_empty() { "" } else { " " };
    let sign = match nanos < 0 {
        true => "-",
        false if before => "+",
        false => "",
    };
    let (seconds, nanos) = (
        nanos.unsigned_abs() / 1_000_000_000,
        nanos.unsigned_abs() % 1_000_000_000,
    );
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    out += &format!("{space}{sign}{hours:02}:{minutes:02}:{seconds:02}");
    if nanos > 0 {
        out += format!(".{nanos:09}").trim_end_matches('0');
    }
    out
}

fn signed(word: &str) -> (&str, &str) {
    match word.strip_prefix(['-', '+']) {
        Some(bare) if word.starts_with('-') => ("-", bare),
        Some(bare) => ("", bare),
        None => ("", word),
    }
}

fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit() || c == '.') && !word.is_empty()
}

/// 2 days -1 hours as -2 days 1 hours.
fn negated(text: &str) -> String {
    let words = text.split(' ').map(|word| match signed(word) {
        ("-", bare) => bare.to_string(),
        (_, bare) if bare.starts_with(|c: char| c.is_ascii_digit()) => format!("-{bare}"),
        _ => word.to_string(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What follows P in ISO 8601: 1Y2M3DT4H5M6S.
fn iso_with_units(text: &str) -> Option<String> {
    let (days, time) = text.split_once('T').unwrap_or((text, ""));
    let days = fields(
        days,
        &[
            ('Y', "years"),
            ('M', "months"),
            ('W', "weeks"),
            ('D', "days"),
        ],
    )?;
    let time = fields(time, &[('H', "hours"), ('M', "minutes"), ('S', "seconds")])?;
    let all = [days, time].concat();
    (!all.is_empty()).then(|| all.join(" "))
}

fn fields(mut text: &str, units: &[(char, &str)]) -> Option<Vec<String>> {
    let mut out = Vec::new();
    while !text.is_empty() {
        let at = text.find(|c: char| c.is_ascii_uppercase())?;
        let (_, unit) = units
            .iter()
            .find(|(letter, _)| text[at..].starts_with(*letter))?;
        out.push(format!("{} {unit}", &text[..at]));
        text = &text[at + 1..];
    }
    Some(out)
}

/// As all columns and results have it.
pub const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// `left` times or by `right`, if that is an interval and a number; None if it is something else.
/// The types are None of what has none yet: a parameter is taken for a number.
pub fn scaled(
    (left, left_type): (&Expr, Option<&DataType>),
    op: Operator,
    (right, right_type): (&Expr, Option<&DataType>),
) -> Option<Expr> {
    let (interval, number, number_type) = match op {
        Operator::Multiply if is_interval(right_type) => (right, left, left_type),
        Operator::Multiply | Operator::Divide if is_interval(left_type) => {
            (left, right, right_type)
        }
        _ => return None,
    };
    if number_type.is_some_and(|t| !t.is_numeric() && *t != DataType::Null) {
        return None;
    }
    let function = match op {
        Operator::Multiply => &*TIMES,
        _ => &*OVER,
    };
    let number = cast(number.clone(), DataType::Float64);
    Some(function.call(vec![cast(interval.clone(), INTERVAL), number]))
}

fn is_interval(data_type: Option<&DataType>) -> bool {
    matches!(data_type, Some(DataType::Interval(_)))
}

static TIMES: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(Scaled::function(true)));
static OVER: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(Scaled::function(false)));

#[derive(Debug, PartialEq, Eq, Hash)]
struct Scaled {
    times: bool,
    signature: Signature,
}

impl Scaled {
    fn function(times: bool) -> ScalarUDF {
        let signature = Signature::exact(vec![INTERVAL, DataType::Float64], Volatility::Immutable);
        ScalarUDF::new_from_impl(Scaled { times, signature })
    }

    fn apply(&self, interval: IntervalMonthDayNano, number: f64) -> DfResult<IntervalMonthDayNano> {
        if !self.times && number == 0.0 {
            return Err(BridgeError::new("22012", "division by zero").into());
        }
        let result = match self.times {
            true => exact(interval, number).or_else(|| parts(interval, |part| part * number)),
            false => parts(interval, |part| part / number),
        };
        result.ok_or_else(|| BridgeError::new("22008", "interval out of range").into())
    }
}

impl ScalarUDFImpl for Scaled {
    fn name(&self) -> &str {
        match self.times {
            true => "interval_times",
            false => "interval_over",
        }
    }
    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        let number = match &args[1] {
            Expr::Cast(cast) => cast.expr.as_ref(),
            other => other,
        };
        let sign = if self.times { '*' } else { '/' };
        Ok(format!(
            "{} {sign} {}",
            args[0].schema_name(),
            number.schema_name()
        ))
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(INTERVAL)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let scale = |args: &[ArrayRef]| -> DfResult<ArrayRef> {
            let intervals = args[0].as_primitive::<IntervalMonthDayNanoType>();
            let numbers = args[1].as_primitive::<Float64Type>();
            let results = intervals.iter().zip(numbers).map(|pair| match pair {
                (Some(interval), Some(number)) => self.apply(interval, number).map(Some),
                _ => Ok(None),
            });
            let results: IntervalMonthDayNanoArray = results.collect::<DfResult<_>>()?;
            Ok(Arc::new(results))
        };
        make_scalar_function(scale, vec![])(&args.args)
    }
}

/// A whole number of times; None if the number has a fraction or the result no place.
fn exact(interval: IntervalMonthDayNano, number: f64) -> Option<IntervalMonthDayNano> {
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || number.abs() > WHOLE_MAX {
        return None;
    }
    let times = i128::from(number as i64);
    Some(IntervalMonthDayNano::new(
        i32::try_from(i128::from(interval.months) * times).ok()?,
        i32::try_from(i128::from(interval.days) * times).ok()?,
        i64::try_from(i128::from(interval.nanoseconds) * times).ok()?,
    ))
}

/// Each part scaled, and what is left of the larger ones in the smaller ones; None if that has no
/// place.
fn parts(
    interval: IntervalMonthDayNano,
    scale: impl Fn(f64) -> f64,
) -> Option<IntervalMonthDayNano> {
    const DAY_SECONDS: f64 = 86_400.0;
    let months = scale(f64::from(interval.months));
    let days = scale(f64::from(interval.days));
    let month_days = to_micros(months.fract() * 30.0);
    let mut whole_days = days.trunc() + month_days.trunc();
    let mut seconds = to_micros((days.fract() + month_days.fract()) * DAY_SECONDS);
    if seconds.abs() >= DAY_SECONDS {
        whole_days += (seconds / DAY_SECONDS).trunc();
        seconds %= DAY_SECONDS;
    }
    let micros = scale(interval.nanoseconds as f64) / 1e3 + seconds * 1e6;
    Some(IntervalMonthDayNano::new(
        whole(months.trunc(), i32::MAX.into())? as i32,
        whole(whole_days, i32::MAX.into())? as i32,
        whole(micros.round_ties_even(), 9.2e15)? * 1000,
    ))
}

fn to_micros(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

fn whole(number: f64, max: f64) -> Option<i64> {
    (number.abs() <= max).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    #[test]
    fn what_is_left_of_a_month_is_days_and_of_a_day_hours() {
        let by = |months, days, nanos, number: f64| {
            parts(IntervalMonthDayNano::new(months, days, nanos), |p| {
                p * number
            })
        };
        let interval = IntervalMonthDayNano::new;
        assert_eq!(by(1, 0, 0, 0.5), Some(interval(0, 15, 0)));
        assert_eq!(by(0, 1, 0, 0.5), Some(interval(0, 0, 12 * HOUR)));
        assert_eq!(
            by(1, 1, HOUR, 1.5),
            Some(interval(1, 16, 13 * HOUR + HOUR / 2))
        );
        assert_eq!(
            by(-1, 3, 0, 0.1),
            Some(interval(0, -3, 7 * HOUR + HOUR / 5))
        );
        assert_eq!(by(i32::MAX, 0, 0, 1.5), None);
        assert_eq!(by(0, 0, i64::MAX / 2, 2.5), None);
        assert_eq!(by(0, 1, 0, f64::NAN), None);
    }

    #[test]
    fn texts_get_units() {
        for (text, expected) in [
            ("1 day 02:03:04.5", "1 day 02 hours 03 minutes 04.5 seconds"),
            ("-02:30", "-02 hours -30 minutes"),
            ("1 2:03", "1 days 2 hours 03 minutes"),
            ("+1-2", "1 years 2 months"),
            ("2 days -1 hours ago", "-2 days 1 hours"),
            (
                "P1Y2M3DT4H5M6.5S",
                "1 years 2 months 3 days 4 hours 5 minutes 6.5 seconds",
            ),
            ("P-1W", "-1 weeks"),
            ("@ +2 days 5", "2 days 5 seconds"),
        ] {
            assert_eq!(with_units(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["1 day 2 hours", "much", "P", "P1X", "1:2:3:4", "PT1Y"] {
            assert_eq!(with_units(text), None, "{text}");
        }
    }

    #[test]
    fn an_interval_is_shown_part_by_part() {
        let shown = |months, days, nanos| text_of(IntervalMonthDayNano::new(months, days, nanos));
        assert_eq!(shown(0, 0, 0), "00:00:00");
        assert_eq!(shown(14, 1, 0), "1 year 2 mons 1 day");
        assert_eq!(
            shown(-13, 17, -1_500_000_000),
            "-1 years -1 mons +17 days -00:00:01.5"
        );
        assert_eq!(shown(0, -1, 26 * HOUR + 1), "-1 days +26:00:00.000000001");
    }

    #[test]
    fn whole_numbers_are_exact() {
        let day = IntervalMonthDayNano::new(0, 0, 24 * HOUR + 1000);
        assert_eq!(
            exact(day, 100_000.0).unwrap().nanoseconds,
            100_000 * (24 * HOUR + 1000)
        );
        assert_eq!(exact(day, 1e9), None);
        assert_eq!(exact(day, 0.5), None);
    }
}
