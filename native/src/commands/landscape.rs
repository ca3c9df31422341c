//! `sdarts landscape`: the validation accuracy around the architectures of runs (Fig. 1 of the
//! paper), in numbers and pictures.
//!
//! All runs are measured before the first file is written, and each file is replaced in one step:
//! whatever stops the command before, the run directories are as they were.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use smoothdarts::draw::csv;
use smoothdarts::draw::landscape::{Frame, Quantity, View, contour, surface};
use smoothdarts::measure::landscape::{
    Coordinates, Landscape, Scan, Settings, validation, validation_text,
};
use smoothdarts::run::{Run, Search};
use smoothdarts::task::Task;

use crate::cli::{LandscapeArgs, LandscapeSpace};
use crate::device::Selected;
use crate::exit::Exit;
use crate::open_run::{self, OpenRun, OpenSearch};
use crate::{output, run_dir};

/// How often the time left is said where there is no terminal.
const NEWS: Duration = Duration::from_secs(10);

/// Measures every run, then writes three files into each run directory and prints how flat they
/// are.
///
/// # Errors
/// A path that is no run, settings that mean nothing, or what the data, the device or the file
/// system says.
pub fn run(args: &LandscapeArgs) -> anyhow::Result<Exit> {
    let settings = settings(args);
    settings.check()?;
    let mut selected = None;
    let mut measured = Vec::new();
    for run in &args.runs {
        run_dir::must_be_run(run)?;
        measured.push(measure(run, args, settings, &mut selected)?);
    }
    for run in &measured {
        let alike = measured.iter().filter(|other| other.quantity == run.quantity);
        run.write(Frame::over(alike.map(|other| &other.landscape), run.quantity))?;
    }
    let text = if args.json {
        let all: Vec<Value> = measured.iter().map(RunLandscape::machine).collect();
        serde_json::to_string(&all)?
    } else {
        measured.iter().map(RunLandscape::human).collect::<Vec<_>>().join("\n\n")
    };
    output::line(&text)?;
    Ok(Exit::Done)
}

fn settings(args: &LandscapeArgs) -> Settings {
    let space = match args.space {
        LandscapeSpace::Logits => Coordinates::Logits,
        LandscapeSpace::Probabilities => Coordinates::Probabilities,
    };
    Settings { space, range: args.range, grid: args.grid, seed: args.seed }
}

/// The landscape of one run, on the device that the first run chose.
fn measure(
    run: &Path,
    args: &LandscapeArgs,
    settings: Settings,
    selected: &mut Option<Selected>,
) -> anyhow::Result<RunLandscape> {
    let checkpoint = open_run::checkpoint(run)?;
    let selected = match selected {
        Some(selected) => selected,
        None => selected.insert(open_run::device(args.device.as_deref(), checkpoint.config())?),
    };
    let (began, device) = (Instant::now(), &selected.device);
    let context = || run.display().to_string();
    let (landscape, position, quantity) = match OpenRun::new(&checkpoint, device)? {
        OpenRun::Images(OpenSearch { search, mut loader }) => {
            let epoch = checkpoint.epoch().saturating_sub(1);
            let images =
                validation(&mut loader, epoch, args.images, device).with_context(context)?;
            let landscape = scan(run, &search, images, settings).with_context(context)?;
            (landscape, search.position(), Quantity::Accuracy)
        }
        OpenRun::Text(OpenSearch { search, mut loader }) => {
            let hidden = checkpoint.config().recurrent.hidden;
            let words = validation_text(&mut loader, args.images, hidden, device);
            let words = words.with_context(context)?;
            let landscape = scan(run, &search, words, settings).with_context(context)?;
            (landscape, search.position(), Quantity::Loss)
        }
    };
    Ok(RunLandscape {
        run: run.to_owned(),
        landscape,
        position,
        quantity,
        seconds: began.elapsed().as_secs_f64(),
        device: selected.label.clone(),
    })
}

/// Measures all points around the architecture of a search.
fn scan<T: Task>(
    run: &Path,
    search: &Run<Search<T>>,
    examples: Vec<T::Input>,
    settings: Settings,
) -> anyhow::Result<Landscape> {
    pollster::block_on(async {
        let (model, policy) = (search.job().model(), search.job().policy());
        let at = search.job().point(true);
        let mut scan = Scan::new(model, at, policy, examples, settings).await?;
        let mut watch = Watch::new(run, scan.progress().1);
        while scan.advance(model, policy).await?.is_some() {
            watch.show(scan.progress().0);
        }
        watch.bar.finish_and_clear();
        Ok(scan.landscape())
    })
}

/// What people see while they wait: a bar on a terminal, a line now and then elsewhere.
struct Watch {
    bar: ProgressBar,
    run: String,
    points: usize,
    began: Instant,
    said: Instant,
}

impl Watch {
    fn new(run: &Path, points: usize) -> Self {
        let visible = std::io::stderr().is_terminal();
        let bar = if visible { ProgressBar::new(points as u64) } else { ProgressBar::hidden() };
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {bar:20} {pos}/{len}  {eta_precise} left")
        {
            bar.set_style(style);
        }
        let run = run.display().to_string();
        bar.set_message(run.clone());
        Self { bar, run, points, began: Instant::now(), said: Instant::now() }
    }

    fn show(&mut self, done: usize) {
        self.bar.set_position(done as u64);
        if self.bar.is_hidden() && self.said.elapsed() >= NEWS && done < self.points {
            self.said = Instant::now();
            let left = self.began.elapsed().mul_f64((self.points - done) as f64 / done as f64);
            let points = self.points;
            let left = HumanDuration(left);
            output::note(&format!("{}: {done} of {points} points, {left} left", self.run));
        }
    }
}

/// The landscape of one run, and what it cost.
struct RunLandscape {
    run: PathBuf,
    landscape: Landscape,
    /// What its pictures show.
    quantity: Quantity,
    /// Finished epochs, and steps of the one that is not finished.
    position: (usize, usize),
    seconds: f64,
    device: String,
}

impl RunLandscape {
    fn write(&self, frame: Frame) -> anyhow::Result<()> {
        let name = self.run.file_name().unwrap_or(self.run.as_os_str()).to_string_lossy();
        let view = View { landscape: &self.landscape, name: &name, quantity: self.quantity, frame };
        let files = [
            ("landscape.csv", csv::landscape(&self.landscape)),
            ("landscape-contour.svg", contour(view)),
            ("landscape-surface.svg", surface(view)),
        ];
        for (file, text) in files {
            run_dir::write(&self.run.join(file), text.as_bytes())?;
        }
        Ok(())
    }

    fn human(&self) -> String {
        if self.quantity == Quantity::Loss {
            return self.of_text();
        }
        let Landscape { settings, images, samples } = &self.landscape;
        let flatness = self.landscape.flatness();
        let (epochs, steps) = self.position;
        let space = match settings.space {
            Coordinates::Logits => "logit",
            Coordinates::Probabilities => "probability",
        };
        format!(
            "{}: {space} space, after {epochs} epochs and {steps} steps\n\
             accuracy in the middle             {:.2} %\n\
             mean drop within distance {:<8} {:.2} points\n\
             largest drop there                 {:.2} points\n\
             grid with 0.9 of the middle        {:.1} %\n\
             {} points on {images} images and one gradient, in {:.1} s on {}\n\
             landscape.csv, landscape-contour.svg and landscape-surface.svg are in {}",
            self.run.display(),
            100.0 * flatness.centre,
            settings.range,
            100.0 * flatness.mean_drop,
            100.0 * flatness.largest_drop,
            100.0 * flatness.flat_share,
            samples.len(),
            self.seconds,
            self.device,
            self.run.display(),
        )
    }

    /// The same of a text, in perplexities.
    fn of_text(&self) -> String {
        let Landscape { settings, images, samples } = &self.landscape;
        let (epochs, steps) = self.position;
        let inside = samples.iter().filter(|it| it.x.hypot(it.y) <= settings.range * (1.0 + 1e-9));
        let losses: Vec<f64> = inside.map(|sample| sample.loss).collect();
        let middle = samples.get(samples.len() / 2).map_or(f64::NAN, |sample| sample.loss);
        let rises = losses.iter().map(|loss| loss - middle);
        let (mean, largest) =
            (rises.clone().sum::<f64>() / losses.len() as f64, rises.fold(0.0, f64::max));
        format!(
            "{}: {} space, after {epochs} epochs and {steps} steps\n\
             perplexity in the middle            {:.2}\n\
             largest within distance {:<8}    {:.2}\n\
             mean rise of the loss there         {mean:.4}\n\
             {} points on {images} words and one gradient, in {:.1} s on {}\n\
             landscape.csv, landscape-contour.svg and landscape-surface.svg are in {}",
            self.run.display(),
            settings.space.name(),
            middle.exp(),
            settings.range,
            (middle + largest).exp(),
            samples.len(),
            self.seconds,
            self.device,
            self.run.display(),
        )
    }

    fn machine(&self) -> Value {
        let Landscape { settings, images, samples } = &self.landscape;
        json!({
            "run": self.run.display().to_string(),
            "settings": settings,
            "epochs": self.position.0,
            "steps": self.position.1,
            "flatness": self.landscape.flatness(),
            "points": samples.len(),
            "images": images,
            "seconds": self.seconds,
            "device": self.device,
            "files": ["landscape.csv", "landscape-contour.svg", "landscape-surface.svg"],
        })
    }
}
