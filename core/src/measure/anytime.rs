//! Anytime accuracy: what a table of trained networks says of the cell that would be derived after
//! every epoch (Fig. 4 and 5 of the paper). Settings: section `table`.

use std::rc::Rc;

use super::{Entry, MeasureError, Observed, Observer, Subject};
use crate::arrays::Later;
use crate::cell::{Genotype, Rows};
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

/// What the table says of the cell that is derived after an epoch, which its space writes as `architecture`.
pub fn look(
    table: &dyn Lookup,
    epoch: usize,
    genotype: &Genotype,
    architecture: String,
) -> Anytime {
    let known = table.known(genotype).unwrap_or_default();
    let Known { test_accuracy, valid_accuracy, rank, regret, own_accuracy } = known;
    let cells = table.cells();
    Anytime {
        epoch,
        architecture,
        test_accuracy,
        valid_accuracy,
        rank,
        cells,
        regret,
        own_accuracy,
    }
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
            let architecture = subject.encode(&genotype);
            let event = Event::Anytime(look(&*self.0, subject.epoch(), &genotype, architecture));
            Ok(Some(event).into())
        })
    }
}
