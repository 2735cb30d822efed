//! Relations, what connects them, and the cheapest order to join them in.
//!
//! A set of relations gives the same number of rows in whatever order it is joined; that number
//! is computed per set, relation by relation from the largest to the smallest, so that the usual
//! join, many rows with one of a key each, is estimated by its key. Costs are rows: those that
//! come out of each join, those that go through it, and twice those it keeps in memory.
//!
//! Semi and anti joins may be applied once the relations they look at are joined, and are where
//! that is cheapest. Connected sets of up to MAX_EXACT are ordered by dynamic programming over all
//! bushy trees, larger ones greedily; what is not connected is multiplied at the end, smallest
//! first.

use datafusion::common::Column;

use crate::estimate::{Estimate, damped};

pub type Set = u64;

/// 3^12 pairs take some milliseconds.
const MAX_EXACT: usize = 12;

/// A join tree over the relations of a graph.
#[derive(Clone, Debug)]
pub enum Tree {
    Relation(usize),
    Join(Box<Tree>, Box<Tree>),
    /// The semi or anti join of this number.
    Semi(Box<Tree>, usize),
}

/// Columns that are all equal, at most a few per relation.
#[derive(Clone, Debug, Default)]
pub struct Class {
    pub members: Vec<(usize, Column)>,
}

impl Class {
    pub fn relations(&self) -> Set {
        self.members.iter().fold(0, |set, (r, _)| set | 1 << r)
    }
    pub fn member_in(&self, set: Set) -> Option<&(usize, Column)> {
        self.members.iter().find(|(r, _)| set & (1 << r) != 0)
    }
}

/// Something that holds once all relations of `needs` are joined.
#[derive(Clone, Debug)]
pub struct Condition {
    pub needs: Set,
    pub share: f64,
    /// It is an equality with these relations on its sides.
    pub sides: Option<(Set, Set)>,
}

#[derive(Clone, Debug)]
pub struct Semi {
    pub needs: Set,
    /// Of the rows, that it leaves.
    pub share: f64,
    /// It keeps or looks at so many rows of its own.
    pub rows: f64,
}

#[derive(Default)]
pub struct Graph {
    pub relations: Vec<Estimate>,
    pub classes: Vec<Class>,
    pub conditions: Vec<Condition>,
    pub semis: Vec<Semi>,
}

struct Best {
    tree: Tree,
    set: Set,
}

#[derive(Clone)]
struct Step {
    cost: f64,
    rows: f64,
    how: How,
}

/// By the numbers of subsets.
#[derive(Clone, Copy)]
enum How {
    Relation,
    Join(usize, usize),
    Semi(usize, usize),
}

impl Graph {
    pub fn set_of(&self, tree: &Tree) -> Set {
        match tree {
            Tree::Relation(r) => 1 << r,
            Tree::Join(left, right) => self.set_of(left) | self.set_of(right),
            Tree::Semi(input, semi) => self.set_of(input) | self.semi_bit(*semi),
        }
    }

    /// Semi joins stand behind the relations in a set.
    pub fn semi_bit(&self, semi: usize) -> Set {
        1 << (self.relations.len() + semi)
    }

    fn relations_of(&self, set: Set) -> Set {
        set & ((1 << self.relations.len()) - 1)
    }

    // ---- rows and costs -------------------------------------------------------------------------

    /// The rows that `set` gives when joined.
    pub fn rows(&self, set: Set) -> f64 {
        let mut order: Vec<usize> = (0..self.relations.len())
            .filter(|r| set & (1 << r) != 0)
            .collect();
        order.sort_by(|a, b| {
            let size = |r: usize| self.relations[r].all_rows;
            size(*b).total_cmp(&size(*a)).then(a.cmp(b))
        });
        let (mut rows, mut joined): (f64, Set) = (1.0, 0);
        for r in order {
            rows *= self.relations[r].rows / self.divisor(r, joined);
            joined |= 1 << r;
        }
        for condition in &self.conditions {
            if condition.needs & !joined == 0 {
                rows *= condition.share;
            }
        }
        for (i, semi) in self.semis.iter().enumerate() {
            if set & self.semi_bit(i) != 0 {
                rows *= semi.share;
            }
        }
        rows.max(1.0)
    }

    /// By how much equal columns lessen the product of relation `r` and those of `joined`.
    fn divisor(&self, r: usize, joined: Set) -> f64 {
        let shared =
            |class: &&Class| class.member_in(1 << r).is_some() && class.member_in(joined).is_some();
        let mut classes: Vec<&Class> = self.classes.iter().filter(shared).collect();
        let mut divisors = Vec::new();
        // Columns that hold a whole key of one side: each row of the other has one partner.
        let sides =
            std::iter::once(r).chain((0..self.relations.len()).filter(|i| joined & (1 << i) != 0));
        for side in sides {
            let relation = &self.relations[side];
            let of_side = |class: &Class, column: &Column| {
                class.members.iter().any(|(m, c)| *m == side && c == column)
            };
            let covered = |key: &&Vec<Column>| {
                !key.is_empty()
                    && key
                        .iter()
                        .all(|c| classes.iter().any(|class| of_side(class, c)))
            };
            if let Some(key) = relation.keys.iter().find(covered) {
                divisors.push(relation.all_rows.max(1.0));
                classes.retain(|class| !key.iter().any(|c| of_side(class, c)));
            }
        }
        for class in classes {
            let distinct = |set: Set| {
                let members = class.members.iter().filter(|(m, _)| set & (1 << m) != 0);
                let each = members.map(|(m, c)| self.relations[*m].distinct(c));
                each.fold(f64::INFINITY, f64::min)
            };
            divisors.push(distinct(1 << r).max(distinct(joined)).max(1.0));
        }
        divisors.sort_by(|a, b| b.total_cmp(a));
        damped(&divisors)
    }

    pub fn cost(&self, tree: &Tree) -> f64 {
        match tree {
            Tree::Relation(_) => 0.0,
            Tree::Join(left, right) => {
                let (l, r) = (self.set_of(left), self.set_of(right));
                self.cost(left)
                    + self.cost(right)
                    + self.join_cost(self.rows(l), self.rows(r), l | r)
            }
            Tree::Semi(input, semi) => {
                let set = self.set_of(input);
                self.cost(input) + self.semi_cost(self.rows(set), *semi, set)
            }
        }
    }

    fn join_cost(&self, left: f64, right: f64, both: Set) -> f64 {
        self.rows(both) + 2.0 * left.min(right) + left.max(right)
    }

    fn semi_cost(&self, rows: f64, semi: usize, set: Set) -> f64 {
        let other = self.semis[semi].rows;
        self.rows(set | self.semi_bit(semi)) + 2.0 * rows.min(other) + rows.max(other)
    }

    // ---- order ----------------------------------------------------------------------------------

    /// True if an equality connects the sets.
    fn connected(&self, left: Set, right: Set) -> bool {
        let by_class = |class: &Class| {
            let all = class.relations();
            all & left != 0 && all & right != 0
        };
        let by_condition = |condition: &Condition| {
            condition.sides.is_some_and(|(a, b)| {
                (a & !left == 0 && b & !right == 0) || (a & !right == 0 && b & !left == 0)
            })
        };
        self.classes.iter().any(by_class) || self.conditions.iter().any(by_condition)
    }

    /// The cheapest tree that was found.
    pub fn best(&self) -> Tree {
        let mut parts: Vec<Best> = Vec::new();
        for component in self.components() {
            let semis = (0..self.semis.len())
                .filter(|s| self.semis[*s].needs & !component == 0)
                .fold(0, |set, s| set | self.semi_bit(s));
            let all = component | semis;
            if all.count_ones() as usize <= MAX_EXACT
                && let Some(best) = self.exact(all)
            {
                parts.push(best);
            } else {
                let single = (0..self.relations.len()).filter(|r| component & (1 << r) != 0);
                parts.extend(single.map(|r| self.single(r)));
            }
        }
        self.greedy(parts)
    }

    fn single(&self, r: usize) -> Best {
        Best {
            tree: Tree::Relation(r),
            set: 1 << r,
        }
    }

    fn components(&self) -> Vec<Set> {
        let mut components: Vec<Set> = (0..self.relations.len()).map(|r| 1 << r).collect();
        loop {
            let pairs = (0..components.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
            let mut pairs = pairs.filter(|(i, j)| self.connected(components[*i], components[*j]));
            let Some((i, j)) = pairs.next() else {
                return components;
            };
            components[j] |= components[i];
            components.remove(i);
        }
    }

    /// Dynamic programming over the subsets of `all`; None if it is not connected after all.
    fn exact(&self, all: Set) -> Option<Best> {
        let bits: Vec<Set> = (0..64).map(|b| 1 << b).filter(|b| all & b != 0).collect();
        // Subsets by number: bit i of a number stands for bits[i].
        let sets: Vec<Set> = (0..1usize << bits.len())
            .map(|number| {
                let chosen = bits.iter().enumerate();
                let chosen = chosen.filter(|(i, _)| number >> i & 1 != 0);
                chosen.fold(0, |set, (_, bit)| set | bit)
            })
            .collect();
        let mut steps: Vec<Option<Step>> = vec![None; sets.len()];
        for number in 1..sets.len() {
            let set = sets[number];
            steps[number] = if set.count_ones() > 1 {
                self.best_step(number, &sets, &steps)
            } else if self.relations_of(set) != 0 {
                let rows = self.relations[set.trailing_zeros() as usize].rows;
                Some(Step {
                    cost: 0.0,
                    rows,
                    how: How::Relation,
                })
            } else {
                None
            };
        }
        let last = sets.len() - 1;
        steps[last].as_ref()?;
        Some(Best {
            tree: self.tree(last, &sets, &steps),
            set: all,
        })
    }

    fn best_step(&self, number: usize, sets: &[Set], steps: &[Option<Step>]) -> Option<Step> {
        let set = sets[number];
        let mut found: Option<(f64, How)> = None;
        let mut consider = |cost: f64, how: How| {
            if found.is_none_or(|(least, _)| cost < least) {
                found = Some((cost, how));
            }
        };
        for (s, semi) in self.semis.iter().enumerate() {
            let bit = self.semi_bit(s);
            let rest = set & !bit;
            if rest == set || semi.needs & !rest != 0 {
                continue;
            }
            let at = number & !(1 << (sets[sets.len() - 1] & (bit - 1)).count_ones());
            if let Some(input) = &steps[at] {
                consider(
                    input.cost + self.semi_cost(input.rows, s, rest),
                    How::Semi(at, s),
                );
            }
        }
        let rows = self.rows(set);
        // Each pair once: by the part with the lowest bit.
        let lowest = number & number.wrapping_neg();
        let mut part = (number - 1) & number;
        while part != 0 {
            let other = number & !part;
            if part & lowest != 0
                && let (Some(left), Some(right)) = (&steps[part], &steps[other])
                && self.connected(sets[part], sets[other])
            {
                let (l, r) = (left.rows, right.rows);
                let cost = left.cost + right.cost + rows + 2.0 * l.min(r) + l.max(r);
                consider(cost, How::Join(part, other));
            }
            part = (part - 1) & number;
        }
        found.map(|(cost, how)| Step { cost, rows, how })
    }

    fn tree(&self, number: usize, sets: &[Set], steps: &[Option<Step>]) -> Tree {
        let sub = |at: usize| Box::new(self.tree(at, sets, steps));
        match steps[number].as_ref().map(|step| step.how) {
            Some(How::Join(left, right)) => Tree::Join(sub(left), sub(right)),
            Some(How::Semi(input, semi)) => Tree::Semi(sub(input), semi),
            _ => Tree::Relation(sets[number].trailing_zeros() as usize),
        }
    }

    /// Joins the cheapest pair until one tree is left.
    fn greedy(&self, mut parts: Vec<Best>) -> Tree {
        loop {
            for part in &mut parts {
                self.apply_semis(part);
            }
            if parts.len() == 1 {
                return parts.remove(0).tree;
            }
            let mut least: Option<(bool, f64, usize, usize)> = None;
            for i in 0..parts.len() {
                for j in 0..i {
                    let (a, b) = (parts[i].set, parts[j].set);
                    let key = (!self.connected(a, b), self.rows(a | b));
                    if least.is_none_or(|(apart, rows, ..)| key < (apart, rows)) {
                        least = Some((key.0, key.1, i, j));
                    }
                }
            }
            let Some((_, _, i, j)) = least else {
                return parts.remove(0).tree;
            };
            let second = parts.remove(i);
            let first = parts.remove(j);
            parts.push(Best {
                tree: Tree::Join(Box::new(first.tree), Box::new(second.tree)),
                set: first.set | second.set,
            });
        }
    }

    fn apply_semis(&self, part: &mut Best) {
        for (s, semi) in self.semis.iter().enumerate() {
            let bit = self.semi_bit(s);
            if part.set & bit == 0 && semi.needs & !part.set == 0 {
                let tree = std::mem::replace(&mut part.tree, Tree::Relation(0));
                part.tree = Tree::Semi(Box::new(tree), s);
                part.set |= bit;
            }
        }
    }
}
