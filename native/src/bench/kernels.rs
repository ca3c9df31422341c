//! Which kernels a piece of work calls, how often, and how long they take.
//!
//! On the CPU only our own kernels can be counted: burn's operations are plain functions there. On
//! a GPU the runtime below burn tells of every launch, burn's own included.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cubecl::config::{TypeNameFormatLevel, type_name_format};
use cubecl::logging::{
    Duration, LaunchObservation, LaunchObserver, ProfileDuration, TimingMethod, TimingRequest,
};
use serde::Serialize;
use shaders::meter;

/// One kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Kernel {
    /// Its name: of ours, or of burn's.
    pub name: String,
    /// Calls on the CPU, launches on a GPU.
    pub calls: u64,
    /// Seconds of all calls; 0 on a GPU without timing.
    pub seconds: f64,
    /// Bytes of all buffers that its launches bound; known for ours on a GPU, else 0.
    pub bytes: u64,
}

/// Counts from its making to [`Self::finish`].
pub struct Count {
    observed: Option<(Arc<Observer>, LaunchObservation)>,
}

impl Count {
    /// Starts to count. `timed` asks a GPU for the time of each launch, which slows the whole down.
    pub fn start(gpu: bool, timed: bool) -> Self {
        meter::start();
        let observe = || {
            let observer = Arc::new(Observer { timed, ..Observer::default() });
            (observer.clone(), LaunchObservation::new(observer))
        };
        Self { observed: gpu.then(observe) }
    }

    /// Ends the count; the most expensive kernel comes first.
    pub fn finish(self) -> Vec<Kernel> {
        let ours = meter::stop();
        let mut kernels: Vec<Kernel> = match self.observed {
            None => ours.iter().map(|(name, cost)| of_cpu(name, cost)).collect(),
            Some((observer, observation)) => {
                drop(observation);
                observer.kernels(&ours)
            }
        };
        kernels.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then(b.calls.cmp(&a.calls)));
        kernels
    }
}

fn of_cpu(name: &str, cost: &meter::Cost) -> Kernel {
    Kernel { name: name.to_owned(), calls: cost.calls, seconds: cost.seconds, bytes: 0 }
}

/// Hears of every launch.
#[derive(Default)]
struct Observer {
    timed: bool,
    launches: Mutex<BTreeMap<String, Launches>>,
}

#[derive(Default)]
struct Launches {
    count: u64,
    seconds: f64,
    /// Read at the end: reading waits for the device.
    unread: Vec<ProfileDuration>,
}

impl Observer {
    fn with(&self, kernel: &str, change: impl FnOnce(&mut Launches)) {
        let name = meter::launching().map_or_else(
            || type_name_format(kernel, TypeNameFormatLevel::Short),
            |ours| ours.to_owned(),
        );
        let mut launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        change(launches.entry(name).or_default());
    }

    fn kernels(&self, ours: &meter::Costs) -> Vec<Kernel> {
        let mut launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        let launches = std::mem::take(&mut *launches).into_iter();
        let kernel = |(name, launches): (String, Launches)| {
            let read = |unread: ProfileDuration| pollster::block_on(unread.resolve());
            let ticks = launches.unread.into_iter().filter_map(read);
            let seconds: f64 = ticks.map(|ticks| ticks.duration().as_secs_f64()).sum();
            Kernel {
                bytes: ours.get(name.as_str()).map_or(0, |cost| cost.bytes),
                calls: launches.count,
                seconds: launches.seconds + seconds,
                name,
            }
        };
        launches.map(kernel).collect()
    }
}

impl LaunchObserver for Observer {
    fn launched(&self, kernel: &'static str) {
        self.with(kernel, |launches| launches.count += 1);
    }

    fn timing(&self) -> TimingRequest {
        if self.timed { TimingRequest::Deferred } else { TimingRequest::None }
    }

    fn profiled(&self, kernel: &'static str, profile: ProfileDuration) {
        self.with(kernel, |launches| launches.unread.push(profile));
    }

    fn timed(&self, kernel: &'static str, duration: Duration, _: TimingMethod) {
        self.with(kernel, |launches| launches.seconds += duration.as_secs_f64());
    }
}
