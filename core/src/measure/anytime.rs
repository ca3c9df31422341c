//! Anytime accuracy: what a table of trained networks says of the cell that would be derived after
//! every epoch (Fig. 4 and 5 of the paper). Settings: section `table`.

use std::rc::Rc;

use super::{Entry, MeasureError, Observed, Observer, Subject};
use crate::arrays::Later;
use crate::cell::Rows;
use crate::event::{Anytime, Event};
use crate::space::table::{Known, Lookup};

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "anytime",
    help: "true accuracy of the derived cell, from a table",
    new: |setup| setup.table.map(|table| Box::new(Look(table.clone())) as Box<dyn Observer>),
};

struct Look(Rc<dyn Lookup>);

/// Whether p weighs all options alike, as random-ws and enas do before their first ranking: the cell that is
/// derived then is the first of all, and no result.
pub fn is_even(p: &[Rows]) -> bool {
    p.iter().flatten().all(|row| row.iter().all(|weight| *weight == row[0]))
}

impl Observer for Look {
    fn after_epoch<'a>(
        &'a mut self,
        subject: &'a mut dyn Subject,
    ) -> Later<'a, Result<Observed, MeasureError>> {
        Box::pin(async move {
            let p = subject.probabilities().await?;
            if is_even(&p) {
                return Ok(Observed::default());
            }
            let genotype = subject.derive(&p);
            let known = self.0.known(&genotype).unwrap_or_default();
            let Known { test_accuracy, valid_accuracy, rank, regret, own_accuracy } = known;
            let event = Event::Anytime(Anytime {
                epoch: subject.epoch(),
                architecture: subject.encode(&genotype),
                test_accuracy,
                valid_accuracy,
                rank,
                cells: self.0.cells(),
                regret,
                own_accuracy,
            });
            Ok(Some(event).into())
        })
    }
}
