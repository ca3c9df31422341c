//! How sharp the validation loss is after every so many epochs, and the stop of DARTS-ES that
//! follows from it. Settings: sections `hessian` and `early_stop`.

use serde_json::Value;

use super::early_stop::{Look, Verdict, Watch};
use super::{Entry, MeasureError, Observed, Observer, Setup, Stop, Subject};
use crate::arrays::Later;
use crate::config::EarlyStop;
use crate::event::{self, Event, Warning, WarningCode};
use crate::method::Extra;

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "sharpness",
    help: "eigenvalues of the Hessian; stops darts-es where they grow",
    new: |setup| {
        let sharpness = Sharpness::new(setup);
        (sharpness.every > 0).then(|| Box::new(sharpness) as Box<dyn Observer>)
    },
};

/// Epochs between two measurements where the method needs them and nothing else is asked for: what
/// the scripts of Zela et al. do.
const EVERY: usize = 2;

struct Sharpness {
    every: usize,
    dense: bool,
    /// Where the method stops early.
    early_stop: Option<EarlyStop>,
    watch: Watch,
}

impl Sharpness {
    fn new(setup: &Setup) -> Self {
        let watches = setup.method.extra == Some(Extra::EarlyStop);
        let every = match setup.config.hessian.every {
            0 if watches => EVERY,
            every => every,
        };
        Self {
            every,
            dense: setup.config.hessian.dense,
            early_stop: watches.then(|| setup.config.early_stop.clone()),
            watch: Watch::default(),
        }
    }

    /// Adds a measurement to those that DARTS-ES watches, and says what it decides.
    async fn judge(
        &mut self,
        found: &event::Eigenvalues,
        subject: &dyn Subject,
    ) -> Result<Option<&Verdict>, MeasureError> {
        let Some(config) = self.early_stop.as_ref().filter(|_| !subject.is_last()) else {
            return Ok(None);
        };
        let genotype = subject.derive(&subject.probabilities().await?);
        let eigenvalue = found.code_measure();
        Ok(self.watch.add(Look { epoch: found.epoch, eigenvalue, genotype }, config))
    }
}

impl Observer for Sharpness {
    fn after_epoch<'a>(
        &'a mut self,
        subject: &'a mut dyn Subject,
    ) -> Later<'a, Result<Observed, MeasureError>> {
        Box::pin(async move {
            let epoch = subject.epoch();
            if !epoch.is_multiple_of(self.every) && !subject.is_last() {
                return Ok(Observed::default());
            }
            let found = subject.hessian(self.dense).await?.event(epoch);
            let simulate = self.early_stop.as_ref().is_some_and(|config| config.simulate);
            let verdict = self.judge(&found, subject).await?;
            let mut observed = Observed::from(Some(Event::Hessian(found)));
            if let Some(verdict) = verdict {
                observed.events.push(warning(verdict, simulate));
                observed.stop = (!simulate)
                    .then(|| Stop { epoch: verdict.epoch, genotype: verdict.genotype.clone() });
            }
            Ok(observed)
        })
    }

    fn saved(&self) -> Value {
        // Numbers and texts always have a JSON form.
        serde_json::to_value(&self.watch).unwrap_or_default()
    }

    fn restore(&mut self, saved: &Value) -> Result<(), serde_json::Error> {
        self.watch = serde_json::from_value(saved.clone())?;
        Ok(())
    }
}

fn warning(verdict: &Verdict, simulate: bool) -> Event {
    let Verdict { stopped_after, growth, epoch, .. } = *verdict;
    let outcome = if simulate {
        format!("the search would stop and return to the cell of epoch {epoch}; it goes on")
    } else {
        format!("the search stops, its result is the cell of epoch {epoch}")
    };
    let message =
        format!("the largest eigenvalue of the Hessian has grown by {growth:.2}: {outcome}");
    Event::Warning(Warning { epoch: stopped_after, code: WarningCode::EarlyStop, message })
}
