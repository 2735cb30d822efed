//! SUM of BIGINT: integers in, a DECIMAL out, which cannot overflow.
//!
//! DataFusion would sum decimals made of the integers one by one; here the integers are added up as
//! 128-bit numbers as they come. 2^63 rows of 2^63 fit. The state between partial and final
//! aggregates is the sum itself, NULL before the first value.

use std::mem::size_of;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, PrimitiveArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt32Type, UInt64Type};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

const PRECISION: u8 = 38;
const RESULT: DataType = DataType::Decimal128(PRECISION, 0);

/// SUM for arguments that `takes`.
pub fn sum_of_integers() -> Arc<AggregateUDF> {
    static SUM: LazyLock<Arc<AggregateUDF>> =
        LazyLock::new(|| Arc::new(AggregateUDF::from(SumOfIntegers::new())));
    SUM.clone()
}

pub fn takes(argument: &DataType) -> bool {
    matches!(
        argument,
        DataType::Int64 | DataType::UInt64 | DataType::UInt32
    )
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SumOfIntegers {
    signature: Signature,
}

impl SumOfIntegers {
    fn new() -> SumOfIntegers {
        // DataFusion sums sums, too: SUM(a), SUM(DISTINCT b) is computed in two steps.
        let types = vec![DataType::Int64, DataType::UInt64, DataType::UInt32, RESULT];
        SumOfIntegers {
            signature: Signature::uniform(1, types, Volatility::Immutable),
        }
    }
}

impl AggregateUDFImpl for SumOfIntegers {
    fn name(&self) -> &str {
        "sum"
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(RESULT)
    }
    fn accumulator(&self, _: AccumulatorArgs) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(Sum { sum: None }))
    }
    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }
    fn create_groups_accumulator(
        &self,
        _: AccumulatorArgs,
    ) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GroupSums {
            sums: Vec::new(),
            seen: Vec::new(),
        }))
    }
}

/// Calls `work` with the values of an array of integers or of sums.
macro_rules! with_values {
    ($array:expr, $values:ident => $work:expr) => {
        match $array.data_type() {
            DataType::Int64 => {
                let $values = $array.as_primitive::<Int64Type>();
                $work
            }
            DataType::UInt64 => {
                let $values = $array.as_primitive::<UInt64Type>();
                $work
            }
            DataType::UInt32 => {
                let $values = $array.as_primitive::<UInt32Type>();
                $work
            }
            DataType::Decimal128(_, _) => {
                let $values = $array.as_primitive::<Decimal128Type>();
                $work
            }
            other => return exec_err!("SUM of integers over {other}"),
        }
    };
}

#[derive(Debug)]
struct Sum {
    sum: Option<i128>,
}

fn total<T: ArrowPrimitiveType>(values: &PrimitiveArray<T>) -> i128
where
    T::Native: Into<i128>,
{
    if values.null_count() == 0 {
        return values.values().iter().map(|v| (*v).into()).sum();
    }
    values.iter().flatten().map(|v| v.into()).sum()
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let array = &values[0];
        if array.null_count() < array.len() {
            let more: i128 = with_values!(array, values => total(values));
            self.sum = Some(self.sum.unwrap_or(0) + more);
        }
        Ok(())
    }
    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.update_batch(states)
    }
    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Decimal128(self.sum, PRECISION, 0))
    }
    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }
    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

struct GroupSums {
    sums: Vec<i128>,
    seen: Vec<bool>,
}

impl GroupSums {
    fn add<T: ArrowPrimitiveType>(
        &mut self,
        values: &PrimitiveArray<T>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
    ) where
        T::Native: Into<i128>,
    {
        if values.null_count() == 0 && filter.is_none() {
            for (group, value) in groups.iter().zip(values.values()) {
                self.sums[*group] += (*value).into();
                self.seen[*group] = true;
            }
            return;
        }
        for (row, group) in groups.iter().enumerate() {
            if values.is_valid(row) && filter.is_none_or(|f| f.is_valid(row) && f.value(row)) {
                self.sums[*group] += values.value(row).into();
                self.seen[*group] = true;
            }
        }
    }
}

impl GroupsAccumulator for GroupSums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> DfResult<()> {
        self.sums.resize(group_count, 0);
        self.seen.resize(group_count, false);
        with_values!(values[0], values => self.add(values, groups, filter));
        Ok(())
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        group_count: usize,
    ) -> DfResult<()> {
        self.update_batch(states, groups, None, group_count)
    }

    fn evaluate(&mut self, emit: EmitTo) -> DfResult<ArrayRef> {
        let sums = emit.take_needed(&mut self.sums);
        let seen = emit.take_needed(&mut self.seen);
        let nulls = NullBuffer::from(seen);
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        let array = Decimal128Array::new(sums.into(), nulls);
        Ok(Arc::new(array.with_precision_and_scale(PRECISION, 0)?))
    }

    fn state(&mut self, emit: EmitTo) -> DfResult<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit)?])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> DfResult<Vec<ArrayRef>> {
        let mut sums = GroupSums {
            sums: Vec::new(),
            seen: Vec::new(),
        };
        let groups: Vec<usize> = (0..values[0].len()).collect();
        sums.update_batch(values, &groups, filter, groups.len())?;
        sums.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.seen.capacity()
    }
}
