//! Anytime accuracy: what a table of trained networks says of the cell that would be derived after
//! every epoch (Fig. 4 and 5 of the paper). Settings: section `table`.

use super::{Entry, MeasureError, Observed, Observer, Subject};
use crate::arrays::Later;
use crate::event::{Anytime, Event};
use crate::space::table::{Standing, Table};

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "anytime",
    help: "true accuracy of the derived cell, from a table",
    new: |setup| setup.table.map(|table| Box::new(Lookup(table.clone())) as Box<dyn Observer>),
};

struct Lookup(Table);

impl Observer for Lookup {
    fn after_epoch<'a>(
        &'a mut self,
        subject: &'a mut dyn Subject,
    ) -> Later<'a, Result<Observed, MeasureError>> {
        Box::pin(async move {
            let rows = subject.probabilities().await?;
            let (epoch, architecture) = (subject.epoch(), subject.encode(&subject.derive(&rows)));
            let standing = self.0.find(&architecture);
            let event = |Standing { accuracy: test_accuracy, rank, cells, regret }| {
                Event::Anytime(Anytime { epoch, architecture, test_accuracy, rank, cells, regret })
            };
            Ok(standing.map(event).into())
        })
    }
}
