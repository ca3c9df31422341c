//! Programs are built once for what they depend on.
//!
//! The text of a kernel with its constants has 4 kB on average. It was written anew for every launch, and copied twice
//! more to find what had been compiled from it. Now a launch looks for the settings that the text is made of, and
//! tells the device a number. On two cores, beside a software Vulkan, the thread that launches took 56 µs of
//! processor time for each of a step of DARTS instead of 99 (the command is in `roofline.md`).

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use burn::backend::wgpu::{CubeTensor, KernelSource, SourceKernel, SourceTemplate};
use cubecl::prelude::{ExecutionMode, KernelId};
use cubecl::server::KernelArguments;
use cubecl::{CubeCount, CubeDim};

use super::{COLUMNS, Program, WORKGROUP};
use crate::{meter, throttle};

/// A program and its number.
#[derive(Clone, Debug)]
pub(crate) struct Built(Arc<(Program, u64)>);

/// The programs of a process, by the hash of what they were built by. They are few: one for each shape that
/// occurs, and with it one compiled kernel.
static ALL: LazyLock<Mutex<HashMap<u64, Vec<Entry>>>> = LazyLock::new(Mutex::default);

/// A program, and what it was built by.
struct Entry {
    builder: TypeId,
    settings: Box<dyn Any + Send>,
    program: Built,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

/// The program that `build` makes of `settings`; it is asked the first time only. What the text depends on has
/// to be among the settings: a closure that captures something does not compile here.
pub(crate) fn built<K, F>(settings: K, build: F) -> Built
where
    K: Hash + Eq + Send + 'static,
    F: Fn(&K) -> Program + 'static,
{
    const { assert!(size_of::<F>() == 0, "what a program depends on belongs to its settings") };
    let builder = TypeId::of::<F>();
    let mut hasher = DefaultHasher::new();
    (builder, &settings).hash(&mut hasher);
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let entries = all.entry(hasher.finish()).or_default();
    let is_same = |entry: &&Entry| {
        entry.builder == builder && entry.settings.downcast_ref() == Some(&settings)
    };
    if let Some(known) = entries.iter().find(is_same) {
        return known.program.clone();
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let program = Built(Arc::new((build(&settings), number)));
    entries.push(Entry { builder, settings: Box::new(settings), program: program.clone() });
    program
}

impl Built {
    /// Runs over the buffers, in the order of their bindings.
    pub(crate) fn launch(self, buffers: &[&CubeTensor]) {
        let (Program { name, workgroups, .. }, _) = *self.0;
        let Some(first) = buffers.first() else { return };
        if workgroups == 0 {
            return;
        }
        let columns = workgroups.min(COLUMNS);
        let count = CubeCount::Static(columns as u32, workgroups.div_ceil(columns) as u32, 1);
        let bindings = buffers.iter().map(|tensor| tensor.handle.clone().binding()).collect();
        throttle::before_launch(first);
        let bytes = || buffers.iter().map(|tensor| bytes(tensor)).sum();
        meter::launch(name, bytes, || {
            first.client.launch(
                Box::new(SourceKernel::new(self, CubeDim::new_1d(WORKGROUP as u32))),
                count,
                KernelArguments::new().with_buffers(bindings),
            );
        });
    }
}

fn bytes(tensor: &CubeTensor) -> u64 {
    (tensor.meta.shape().num_elements() * size_of::<f32>()) as u64
}

impl KernelSource for Built {
    fn source(&self) -> SourceTemplate {
        self.0.0.source()
    }

    /// The number is that of this process; cubecl keeps no kernels in WGSL beyond it.
    ///
    /// Unchecked means here that loops are not counted to end them by force: all of ours have bounds that
    /// are constants of the template. The counting took 5 to 10 % of a step on a software Vulkan. Indices
    /// are checked by the device in both modes.
    fn id(&self) -> KernelId {
        KernelId::new::<Self>().mode(ExecutionMode::Unchecked).info(self.0.1)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program of so many threads.
    fn program(threads: usize) -> Program {
        Program::new("nothing", "", threads)
    }

    #[test]
    fn a_program_is_built_once_for_its_settings_and_keeps_its_number() {
        let numbers = |threads| built(threads, |threads| program(*threads)).0.1;
        let [first, second, again] = [3, 4, 3].map(numbers);
        assert_eq!(first, again);
        assert_ne!(first, second);
        let built = built(3, |threads| program(*threads));
        assert_eq!(built.0.0, program(3));
        assert_eq!(built.id(), built.clone().id());
    }

    #[test]
    fn builders_with_the_same_settings_do_not_take_each_others_programs() {
        let [one, other] = [
            built(5_usize, |threads| program(*threads)),
            built(5_usize, |threads| program(threads + 1)),
        ];
        assert_eq!([&one.0.0, &other.0.0], [&program(5), &program(6)]);
        assert_ne!(one.id(), other.id());
    }
}
