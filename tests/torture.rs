//! Hard life: whatever happens to a run, it goes on, and ends like one to which nothing happened.

mod clock;
mod disk;
mod faults;
mod fight;
mod kills;
mod works;
