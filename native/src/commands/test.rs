//! `sdarts test`: how a trained network does on a part of a data set; in `text` one that reads a text.

mod text;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use burn::tensor::Tensor;
use serde_json::json;
use shaders::Kernels;
use smoothdarts::arrays::{Arrays, pair, state_dict, vector};
use smoothdarts::cell::{Cell, Genotype, published};
use smoothdarts::config::layers::{Origin, Resolver};
use smoothdarts::config::{Config, Transform};
use smoothdarts::data::{Batches as _, Order, Part};
use smoothdarts::draw::confusion as picture;
use smoothdarts::measure::confusion::Confusion;
use smoothdarts::net::{NetShape, Network as _, derived};
use smoothdarts::nn::{Picked, Randomness, read};
use smoothdarts::rng::{Stream, Streams};
use smoothdarts::task::{Classify, ImageBatch, Model, Point, Task, Training};
use smoothdarts::{arrays, space};

use crate::cli::{Input, TestArgs, TestPart};
use crate::datasets::text::is_text;
use crate::datasets::{IMAGENET, Opened, Supply};
use crate::exit::Exit;
use crate::weights::{self, Found};
use crate::{device, genotype, output, run_dir, settings};

/// Tests the network that the flags name.
///
/// # Errors
/// If weights, genotype and data do not fit together or cannot be read, or the device fails.
pub fn run(args: &TestArgs) -> anyhow::Result<Exit> {
    let mut layers = Resolver::default();
    layers.texts([("run.device", args.device.as_str())], &Origin::Flag)?;
    let wanted = layers.finish()?.config.run.device;
    // Before the data: images are decoded by the same threads.
    device::set_threads(0)?;
    let selected = device::select(wanted)?;
    let (file, folder) = files(args);
    must_be_trained(args)?;
    let genotype = the_genotype(args)?;
    let arrays = weights::read(&file)?;
    if genotype.cells.iter().any(Cell::is_recurrent) {
        let (config, device) = (settings(args)?, (&selected.device, selected.label.as_str()));
        let (source, json) = (args.source.as_path(), args.json);
        let (arrays, genotype, config) = (&arrays, &genotype, &config);
        return text::run(&text::Tested { source, arrays, genotype, config, device, json });
    }
    let found = Found::new(&arrays).with_context(|| file.display().to_string())?;
    check(&found, args).context(Exit::Usage)?;
    let config = settings(args)?;
    let (supply, names) = open_data(args, &config)?;
    let shape = supply.shape();
    if found.classes != shape.classes || found.image_channels != shape.channels {
        let fault = anyhow::anyhow!(
            "{} has {} classes and reads images of {} channels, but {} has {} classes and images of \
             {}; test it on the data that it was trained on",
            file.display(),
            found.classes,
            found.image_channels,
            config.data.name,
            shape.classes,
            shape.channels,
        );
        return Err(fault.context(Exit::Usage));
    }
    let began = Instant::now();
    let tested = Tested { args, arrays: &arrays, supply: &supply, device: &selected.device };
    let confusion = match &args.supernet {
        Some(name) => tested.supernet(name, &genotype, &found)?,
        None => tested.derived(&genotype, &found)?,
    };
    let matrix = confusion.matrix();
    let rate = matrix.images() as f64 / began.elapsed().as_secs_f64();
    if let Some(folder) = folder {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        for (name, text) in [
            ("confusion.svg", picture::draw(matrix, &names)),
            ("confusion.csv", picture::csv(matrix, &names)),
        ] {
            run_dir::replace(&folder.join(name), text.as_bytes())?;
        }
    }
    if !args.json {
        output::line(&table(&confusion, &names, rate, &selected.label))?;
    }
    output::line(
        &json!({
            "accuracy": matrix.accuracy(),
            "top5": confusion.top5(),
            "loss": confusion.loss(),
            "images": matrix.images(),
            "images_per_second": rate,
            "device": selected.label,
        })
        .to_string(),
    )?;
    Ok(Exit::Done)
}

/// Refuses the run of a search whose supernet is not asked for.
fn must_be_trained(args: &TestArgs) -> anyhow::Result<()> {
    // What is no run, or is damaged, says so where it is read.
    let is_search = settings::of_run(&args.source).is_ok_and(|config| !config.trains());
    if args.supernet.is_some() || !is_search {
        return Ok(());
    }
    let shown = args.source.display();
    let fault = anyhow::anyhow!(
        "{shown} is a search, which has no trained network: train what it found with `sdarts train {shown}`, and \
         test that run"
    );
    Err(fault.context(Exit::Usage))
}

/// The file of weights, and where pictures go.
fn files(args: &TestArgs) -> (PathBuf, Option<PathBuf>) {
    let source = &args.source;
    match source.is_dir() {
        true => {
            let out = args.out.clone().unwrap_or_else(|| source.join("test"));
            (source.join("weights.safetensors"), Some(out))
        }
        false => (source.clone(), args.out.clone()),
    }
}

fn the_genotype(args: &TestArgs) -> anyhow::Result<Genotype> {
    match &args.genotype {
        Some(source) => match published::find_recurrent(source) {
            Some(row) if reads_text(args)? => Ok(row.genotype()),
            _ => genotype::of(source),
        },
        None if args.source.is_dir() => {
            // The one that the weights beside it are of, should the run have gone on since.
            genotype::read(&args.source.join("genotype.json").display().to_string())
        }
        None => {
            let fault = "weights alone do not tell the cells: name the genotype with --genotype";
            Err(anyhow::anyhow!(fault).context(Exit::Usage))
        }
    }
}

/// Whether what is read is a text, so that the name of a recurrent cell means that one.
fn reads_text(args: &TestArgs) -> anyhow::Result<bool> {
    Ok(is_text(&settings(args)?.data.name))
}

/// The images, in batches of the size that the flags say, and the names of their classes.
fn open_data(args: &TestArgs, config: &Config) -> anyhow::Result<(Supply, Vec<String>)> {
    let opened = Opened::of(config)?;
    let opened = if args.input == Input::Unit { opened.unit() } else { opened };
    let (names, batch) = (opened.class_names().to_vec(), args.batch as usize);
    let order = |images, test| Order::testing(images, test, batch, config);
    let supply = opened.supply(config, order)?;
    if supply.evaluation_batches(part(args.part)) == 0 {
        let (name, fault) = (&config.data.name, "has no images in this part");
        return Err(anyhow::anyhow!("{name} {fault}; choose another --part").context(Exit::Data));
    }
    Ok((supply, names))
}

/// The settings of the data: those of the run, then the flags. Nothing is augmented.
fn settings(args: &TestArgs) -> anyhow::Result<Config> {
    let mut config = Config::default();
    let of_run = args.source.join("config.toml");
    let text = if args.source.is_dir() { run_dir::text(&of_run)? } else { None };
    if let Some(text) = text {
        let table: toml::Table =
            text.parse().with_context(|| format!("{} is damaged", of_run.display()))?;
        let read = ["data", "recurrent"].into_iter();
        let read = read.filter_map(|name| Some((name.to_owned(), table.get(name)?.clone())));
        let mut layers = Resolver::default();
        let origin = Origin::File(of_run.display().to_string());
        layers.table(&serde_json::to_value(toml::Table::from_iter(read))?, &origin)?;
        let of_run = layers.finish()?.config;
        (config.data, config.recurrent) = (of_run.data, of_run.recurrent);
    }
    if let Some(name) = &args.data {
        if name == IMAGENET && config.data.name != IMAGENET {
            // The shorter side to 256, the middle 224: how every network for it is tested.
            config.data.transform = Transform::ResizedCrop;
        }
        config.data.name.clone_from(name);
    }
    if let Some(folder) = &args.data_dir {
        config.data.dir = folder.display().to_string();
    }
    if let Some(size) = args.image_size {
        config.data.image_size = size;
    }
    config.data.crop_padding = 0;
    config.quirks.augment_validation = false;
    Ok(config)
}

fn part(part: TestPart) -> Part {
    match part {
        TestPart::Train => Part::Train,
        TestPart::Valid => Part::Valid,
        TestPart::Test => Part::Test,
    }
}

/// Whether the weights are those that the flags ask for.
fn check(found: &Found, args: &TestArgs) -> anyhow::Result<()> {
    for (flag, asked, found) in
        [("channels", args.channels, found.channels), ("cells", args.cells, found.cells)]
    {
        if let Some(asked) = asked.filter(|asked| *asked != found) {
            anyhow::bail!("--{flag} is {asked}, but the weights are those of {found} {flag}");
        }
    }
    Ok(())
}

/// What is tested on what.
struct Tested<'a> {
    args: &'a TestArgs,
    arrays: &'a Arrays,
    supply: &'a Supply,
    device: &'a burn::tensor::Device,
}

impl Tested<'_> {
    fn derived(&self, genotype: &Genotype, found: &Found) -> anyhow::Result<Confusion> {
        let network = derived(genotype, found.shape(false)).context(Exit::Usage)?;
        let image_size = self.supply.shape().size;
        let task = Training { image_size, label_smoothing: 0.0, auxiliary_weight: 0.0 };
        self.confusion(&Model::new(task, network, Kernels::Fused), (&[], None))
    }

    fn supernet(
        &self,
        name: &str,
        genotype: &Genotype,
        found: &Found,
    ) -> anyhow::Result<Confusion> {
        let space = space::find(name)?;
        let rows = space.one_hot(genotype).context(Exit::Usage)?;
        let shape = NetShape {
            image_channels: found.image_channels,
            classes: found.classes,
            cells: found.cells,
            channels: found.channels,
            stem_multiplier: found.stem_channels / found.channels.max(1),
        };
        let network = space.supernet(shape)?;
        let p = rows.iter().map(|rows| arrays::from_rows(rows, self.device)).collect::<Vec<_>>();
        let task = Classify { image_size: self.supply.shape().size };
        // What the genotype leaves out is not computed: with it a test takes ten times as long. Nor does then any edge
        // take the statistics of another, which in weights of other programs may differ.
        let picked = Some(Arc::new(Picked::weighed(&rows)));
        self.confusion(&Model::new(task, network, Kernels::Fused), (&p, picked))
    }

    /// Runs all images of the part through the network, in eval mode.
    fn confusion<T>(
        &self,
        model: &Model<T>,
        (p, picked): (&[Tensor<2>], Option<Arc<Picked>>),
    ) -> anyhow::Result<Confusion>
    where
        T: Task<Input = ImageBatch>,
    {
        let flat = state_dict::read(model.network.layout(), self.arrays).context(Exit::Usage)?;
        let weights = vector(flat.weights, self.device);
        let statistics = pair(flat.statistics, self.device);
        let at = Point { weights: &weights, statistics: &statistics, eval: true };
        let part = part(self.args.part);
        let mut confusion = Confusion::default();
        // Cloning a supply copies a pointer.
        let mut batches = self.supply.clone();
        for index in 0..batches.evaluation_batches(part) {
            let batch = batches.evaluation(part, 0, index)?;
            let labels = batch.labels.clone();
            let input = ImageBatch::new(batch, self.device);
            let rng = Streams::new(0).at(Stream::Noise, index as u64);
            let noise = Randomness { picked: picked.clone(), ..rng.into() };
            let logits = model.loss(at, p, &input, noise).logits;
            confusion.add(&pollster::block_on(read(logits))?, &labels);
        }
        Ok(confusion)
    }
}

/// What people read.
fn table(confusion: &Confusion, names: &[String], rate: f64, device: &str) -> String {
    let percent = |share: f64| match share.is_nan() {
        true => "      -".to_owned(),
        false => format!("{:6.2} %", 100.0 * share),
    };
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    let mut text = format!("{:width$}  images    recall  precision\n", "class");
    let matrix = confusion.matrix();
    for (scores, name) in matrix.classes().iter().zip(names) {
        text += &format!(
            "{name:width$}  {:6}  {}   {}\n",
            scores.images,
            percent(scores.recall),
            percent(scores.precision)
        );
    }
    text + &format!(
        "{} images: top-1 {}, top-5 {}, loss {:.4}; {rate:.0} images a second on {device}",
        matrix.images(),
        percent(matrix.accuracy()).trim(),
        percent(confusion.top5()).trim(),
        confusion.loss(),
    )
}
