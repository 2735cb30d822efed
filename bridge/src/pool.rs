//! The memory pool of all queries: a limit that may change while they run, shared fairly.
//!
//! Operators that can spill (sort, aggregate) each get an even share of what the others leave, so
//! that a sort above a sort does not starve; the others take what is free, first come, first
//! served. DataFusion's FairSpillPool divides in the same way, but its size is fixed for life.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size,
};

/// Bytes; whoever holds it too may change it. What is held already stays held, also beyond a lower
/// limit.
pub type Limit = Arc<AtomicUsize>;

#[derive(Debug)]
pub struct SharedPool {
    limit: Limit,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    spillers: usize,
    by_spillers: usize,
    by_others: usize,
}

impl SharedPool {
    pub fn new(limit: Limit) -> SharedPool {
        SharedPool {
            limit,
            held: Mutex::default(),
        }
    }

    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared(limit: {})", human_readable_size(self.limit()))
    }
}

impl MemoryPool for SharedPool {
    fn name(&self) -> &str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.held().spillers += usize::from(consumer.can_spill());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.held().spillers -= usize::from(consumer.can_spill());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut held = self.held();
        match reservation.consumer().can_spill() {
            true => held.by_spillers += additional,
            false => held.by_others += additional,
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, less: usize) {
        let mut held = self.held();
        match reservation.consumer().can_spill() {
            true => held.by_spillers -= less,
            false => held.by_others -= less,
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.held();
        let consumer = reservation.consumer();
        let left = self.limit().saturating_sub(held.by_others);
        let (wanted, available) = match consumer.can_spill() {
            true => (reservation.size() + additional, left / held.spillers.max(1)),
            false => (additional, left.saturating_sub(held.by_spillers)),
        };
        if wanted > available {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} asked for {} more, holds {}, and may have {} of {}",
                consumer.name(),
                human_readable_size(additional),
                human_readable_size(reservation.size()),
                human_readable_size(available),
                human_readable_size(self.limit()),
            )));
        }
        match consumer.can_spill() {
            true => held.by_spillers += additional,
            false => held.by_others += additional,
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        let held = self.held();
        held.by_spillers + held.by_others
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spillers_share_what_the_others_leave_and_the_limit_may_change() {
        let limit = Limit::new(100.into());
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(limit.clone()));
        let spiller = |name: &str| MemoryConsumer::new(name).with_can_spill(true);
        let other = MemoryConsumer::new("join").register(&pool);
        let first = spiller("sort").register(&pool);
        other.try_grow(20).unwrap();
        first.try_grow(80).unwrap();
        assert!(first.try_grow(1).is_err());
        first.shrink(50);
        let second = spiller("group").register(&pool);
        second.try_grow(40).unwrap();
        assert!(second.try_grow(1).is_err());
        limit.store(200, Ordering::Relaxed);
        second.try_grow(50).unwrap();
        limit.store(50, Ordering::Relaxed);
        assert!(other.try_grow(1).is_err());
        assert_eq!(pool.reserved(), 140);
        drop((other, first, second));
        assert_eq!(pool.reserved(), 0);
    }
}
