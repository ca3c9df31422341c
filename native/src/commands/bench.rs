//! `sdarts bench`.

use anyhow::Context as _;
use smoothdarts::config::Config;

use super::derive;
use crate::bench::loader;
use crate::bench::loops::Loops;
use crate::bench::machine::Machine;
use crate::bench::row::{Row, Timer};
use crate::bench::scaling::{self, Point};
use crate::bench::subject::{METHODS, Subject};
use crate::bench::table;
use crate::bench::text_training;
use crate::bench::training;
use crate::cli::BenchArgs;
use crate::device::{self, Selected};
use crate::exit::Exit;
use crate::{datasets, genotype, output, settings};

/// Measures and prints row by row.
///
/// # Errors
/// Wrong flags or settings (exit code 2), no device (4), or what a search says.
pub fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    if args.loops {
        let loops = Loops::measure();
        let text = if args.json { serde_json::to_string(&loops)? } else { loops.text() };
        output::line(&text)?;
        return Ok(Exit::Done);
    }
    if let Some(genotype) = &args.train {
        return train(args, genotype.as_deref());
    }
    let config = settings::resolve_bench(args)?.config;
    if args.data.is_some() {
        return read(args, &config);
    }
    let names: Vec<&str> = match args.method.as_slice() {
        [] if args.scaling => METHODS[..1].to_vec(),
        [] => METHODS.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    // All names are looked up before the first row takes its time.
    names.iter().try_for_each(|name| Subject::new(name, &config).map(drop))?;
    device::set_threads(config.run.threads)?;
    let selected = device::select(config.run.device)?;
    let mut printer = Printer { args, rows: 0 };
    if args.scaling {
        scale(args, &config, &names, &selected, &mut printer)?;
    } else {
        let timer = timer(args, &selected)?;
        for name in names {
            printer.print(&timer.row(&Subject::new(name, &config)?)?)?;
        }
    }
    printer.finish()
}

/// The step of a training: of the genotype that is named, else that of a config, else that of the
/// paper's main result.
fn train(args: &BenchArgs, named: Option<&str>) -> anyhow::Result<Exit> {
    let default = args.settings.config.is_none().then_some("c10_s5_pgd");
    let genotype = named.or(default).map(genotype::of).transpose()?;
    let resolved = settings::resolve_bench_training(args, genotype.as_ref().map(derive::text))?;
    let config = &resolved.config;
    device::set_threads(config.run.threads)?;
    let selected = device::select(config.run.device)?;
    if datasets::text::is_text(&config.data.name) {
        let row = timer(args, &selected)?.text_training(config)?;
        let text = if args.json { serde_json::to_string(&row)? } else { text_training::text(&row) };
        output::line(&text)?;
        return Ok(Exit::Done);
    }
    let row = timer(args, &selected)?.training(config)?;
    let text = if args.json { serde_json::to_string(&row)? } else { training::text(&row) };
    output::line(&text)?;
    Ok(Exit::Done)
}

/// How fast images are read.
fn read(args: &BenchArgs, config: &Config) -> anyhow::Result<Exit> {
    device::set_threads(config.run.threads)?;
    let row = loader::measure(config, args.steps)?;
    let text = if args.json { serde_json::to_string(&row)? } else { loader::text(&row) };
    output::line(&text)?;
    Ok(Exit::Done)
}

fn scale(
    args: &BenchArgs,
    config: &Config,
    names: &[&str],
    selected: &Selected,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let cpu = selected.adapter.is_none();
    let common = timer(args, selected)?;
    for point in scaling::points(config, cpu.then(rayon::current_num_threads)) {
        for name in names {
            let subject = Subject::new(name, &point.config)?;
            let row = match point.varied {
                "run.threads" => with_threads(args, &point, &subject)?,
                _ => common.row(&subject)?,
            };
            printer.print(&Row { varied: Some(point.varied), ..row })?;
        }
    }
    Ok(())
}

/// A row on the CPU in a pool of its own: the pool of the process cannot change.
fn with_threads(args: &BenchArgs, point: &Point, subject: &Subject) -> anyhow::Result<Row> {
    let threads = point.config.run.threads;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.with_context(|| format!("cannot start {threads} threads"))?;
    pool.install(|| timer(args, &device::cpu())?.row(subject))
}

/// Measures the peaks first, unless they are to be left out.
fn timer<'a>(args: &BenchArgs, selected: &'a Selected) -> anyhow::Result<Timer<'a>> {
    let machine = (!args.skip_peaks).then(|| Machine::measure(&selected.device)).transpose()?;
    let BenchArgs { warmup, steps, profile, .. } = *args;
    Ok(Timer { selected, machine, warmup, steps, profile })
}

struct Printer<'a> {
    args: &'a BenchArgs,
    rows: usize,
}

impl Printer<'_> {
    fn print(&mut self, row: &Row) -> anyhow::Result<()> {
        self.rows += 1;
        if self.args.json {
            return output::line(&serde_json::to_string(row)?);
        }
        if self.rows == 1 {
            output::line(&format!("{}\n{}", table::about(row), table::head(self.args.scaling)))?;
        }
        output::line(&table::line(row))?;
        row.profile.as_deref().map_or(Ok(()), |shares| output::line(&table::profile(shares)))
    }

    fn finish(self) -> anyhow::Result<Exit> {
        if !self.args.json {
            output::line(&format!("\n{}", table::NOTES))?;
        }
        Ok(Exit::Done)
    }
}
