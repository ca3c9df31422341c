//! `sdarts hessian`: how sharp the validation loss is where a run stands.

use std::time::Instant;

use serde_json::json;
use smoothdarts::data::Batches;
use smoothdarts::draw::csv;
use smoothdarts::event;
use smoothdarts::measure::hessian::Spectrum;
use smoothdarts::task::Task;

use crate::cli::HessianArgs;
use crate::exit::Exit;
use crate::open_run::{self, OpenRun, OpenSearch};
use crate::{output, run_dir};

/// Measures the Hessian at a checkpoint and prints both measures of it.
///
/// # Errors
/// If there is no checkpoint that can be read, its data are gone, or the device fails.
pub fn run(args: &HessianArgs) -> anyhow::Result<Exit> {
    if let Some(path) = &args.csv {
        run_dir::must_have_folder(path)?;
    }
    let checkpoint = open_run::checkpoint(&args.source)?;
    let selected = open_run::device(args.device.as_deref(), checkpoint.config())?;
    let opened = OpenRun::new(&checkpoint, &selected.device)?;
    let began = Instant::now();
    let (found, position) = match opened {
        OpenRun::Images(opened) => spectrum(opened, args.dense)?,
        OpenRun::Text(opened) => spectrum(opened, args.dense)?,
    };
    let measured = Answer {
        found: found.event(checkpoint.epoch()),
        position,
        dense: args.dense,
        device: selected.label,
        seconds: began.elapsed().as_secs_f64(),
    };
    output::line(&if args.json { measured.machine() } else { measured.human() })?;
    if let Some(path) = &args.csv {
        run_dir::replace(path, table(&found).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// The Hessian where a search stands, and where that is.
fn spectrum<T: Task>(
    opened: OpenSearch<T, impl Batches<Batch = T::Batch>>,
    dense: bool,
) -> anyhow::Result<(Spectrum, (usize, usize))> {
    let OpenSearch { search, mut loader } = opened;
    Ok((pollster::block_on(search.hessian(&mut loader, dense))?, search.position()))
}

/// What was measured, and how.
struct Answer {
    found: event::Eigenvalues,
    /// Finished epochs, and steps of the one that is not finished.
    position: (usize, usize),
    dense: bool,
    device: String,
    seconds: f64,
}

impl Answer {
    fn human(&self) -> String {
        let Self { found, position: (epochs, steps), device, seconds, .. } = self;
        format!(
            "Hessian of the validation loss with respect to alpha, after {epochs} epochs and \
             {steps} steps\n\
             spectral norm, max |eigenvalue| (the paper)      {:.6}\n\
             |largest eigenvalue + 1e-3| (the authors' code)  {:.6}\n\
             largest eigenvalue                               {:.6}\n\
             smallest eigenvalue                              {:.6}\n\
             {}, {} gradients in {seconds:.2} s on {device}",
            found.spectral_norm(),
            found.code_measure(),
            found.largest,
            found.smallest,
            self.method(),
            found.gradients,
        )
    }

    fn machine(&self) -> String {
        let Self { found, position: (epochs, steps), device, seconds, .. } = self;
        let object = json!({
            "epochs": epochs,
            "steps": steps,
            "spectral_norm": found.spectral_norm(),
            "code_measure": found.code_measure(),
            "largest": found.largest,
            "smallest": found.smallest,
            "method": self.method(),
            "gradients": found.gradients,
            "seconds": seconds,
            "device": device,
        });
        object.to_string()
    }

    fn method(&self) -> &'static str {
        if self.dense { "dense matrix" } else { "Lanczos" }
    }
}

fn table(found: &Spectrum) -> String {
    let header = ["index", "eigenvalue"].map(str::to_owned).to_vec();
    let rows = found.eigenvalues.iter().enumerate();
    let rows = rows.map(|(index, eigenvalue)| vec![index.to_string(), eigenvalue.to_string()]);
    csv::table([header].into_iter().chain(rows))
}
