//! What JavaScript calls. Errors become `Error` objects with the message of the Rust error; numbers
//! that a figure needs cross as JSON. The worker (www/js/worker.js) is the only caller.

use burn::tensor::Device;
use js_sys::{Array, Uint8Array};
use smoothdarts::data::Dataset;
use smoothdarts::draw::landscape::Range;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::data;
use crate::monitor::Monitor;
use crate::session::Session;
use crate::settings::{self, Request};

#[wasm_bindgen]
extern "C" {
    /// The worker's function that tells the page of a panic.
    #[wasm_bindgen(js_name = smoothdartsPanicked)]
    fn panicked(message: &str);

    /// The worker's function that tells the page of a lost GPU.
    #[cfg(not(target_feature = "atomics"))]
    #[wasm_bindgen(js_name = smoothdartsDeviceLost)]
    fn device_lost(message: &str);

    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// Runs when the module is instantiated.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|info| panicked(&info.to_string())));
}

/// The names that the controls offer, as JSON ([`settings::Catalogues`]).
///
/// # Errors
/// None in practice.
#[wasm_bindgen]
pub fn catalogues() -> Result<String, JsError> {
    Ok(serde_json::to_string(&settings::catalogues())?)
}

/// The whole config that a request stands for, as JSON.
///
/// # Errors
/// The first setting that is wrong.
#[wasm_bindgen]
pub fn resolve(request: &str) -> Result<String, JsError> {
    Ok(serde_json::to_string(&Request::from_json(request)?.config()?)?)
}

/// A data set.
#[wasm_bindgen]
pub struct Images(Dataset);

#[wasm_bindgen]
impl Images {
    /// From official files: their names, and a `Uint8Array` for each.
    ///
    /// # Errors
    /// A damaged or missing file.
    #[wasm_bindgen(js_name = fromFiles)]
    pub fn from_files(
        dataset: &str,
        names: Vec<String>,
        contents: &Array,
    ) -> Result<Self, JsError> {
        let bytes = contents.iter().map(|content| Uint8Array::new(&content).to_vec());
        Ok(Self(data::official(dataset, &names.into_iter().zip(bytes).collect())?))
    }

    /// From RGB pixels of the user's own images.
    ///
    /// # Errors
    /// Parts that do not fit together.
    #[wasm_bindgen(js_name = fromPixels)]
    pub fn from_pixels(
        pixels: Vec<u8>,
        labels: Vec<u16>,
        size: usize,
        classes: Vec<String>,
    ) -> Result<Self, JsError> {
        Ok(Self(data::own(pixels, labels, size, classes)?))
    }
}

/// A device, ready to compute.
#[wasm_bindgen]
pub struct Compute {
    device: Device,
    label: String,
}

#[wasm_bindgen]
impl Compute {
    /// The CPU with 128-bit vectors; the label says how many threads it has.
    pub fn cpu(threads: usize) -> Self {
        let label = match threads {
            1 => "cpu (WebAssembly)".to_owned(),
            _ => format!("cpu (WebAssembly, {threads} threads)"),
        };
        Self { device: Device::flex(), label }
    }

    /// WebGPU; `label` says which adapter. Works once in a worker. A module with threads has none.
    ///
    /// # Errors
    /// If the browser gives no device.
    #[cfg(not(target_feature = "atomics"))]
    pub async fn webgpu(label: String) -> Result<Self, JsError> {
        let (device, setup) = Device::wgpu_options().init_with_setup_async().await?;
        setup.device.set_device_lost_callback(|_, message| device_lost(&message));
        Ok(Self { device, label })
    }
}

/// A search. After an error or a panic it must not be used any more.
#[wasm_bindgen]
pub struct Search {
    session: Session,
    /// The figures that were sent last, by name.
    sent: Vec<(String, String)>,
}

#[wasm_bindgen]
impl Search {
    /// A search from its start; `request` as in [`Request`].
    ///
    /// # Errors
    /// A wrong setting, or images that do not fit it.
    pub fn create(request: &str, images: &Images, compute: &Compute) -> Result<Self, JsError> {
        let config = Request::from_json(request)?.config()?;
        let Compute { device, label } = compute;
        let clock = || now() / 1000.0;
        let session = Session::new(&config, images.0.clone(), device, label.clone(), clock)?;
        Ok(Self { session, sent: Vec::new() })
    }

    /// The next event as a line of events.jsonl; `undefined` when the search is over.
    ///
    /// # Errors
    /// What the search says.
    pub async fn advance(&mut self) -> Result<Option<String>, JsError> {
        let event = self.session.advance().await?;
        Ok(event.map(|event| serde_json::to_string(&event)).transpose()?)
    }

    /// The next part of a step as JSON ([`smoothdarts::run::search::Watched`]).
    ///
    /// # Errors
    /// What the search says.
    #[wasm_bindgen(js_name = advancePart)]
    pub async fn advance_part(&mut self) -> Result<Option<String>, JsError> {
        let part = self.session.advance_part().await?;
        Ok(part.map(|part| serde_json::to_string(&part)).transpose()?)
    }

    /// Measures how sharp the validation loss is now: a line of events.jsonl. It changes nothing for
    /// the search.
    ///
    /// # Errors
    /// What the search says.
    #[wasm_bindgen(js_name = measureHessian)]
    pub async fn measure_hessian(&mut self) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.session.measure_hessian().await?)?)
    }

    /// Begins to measure the landscape around where the search stands now.
    ///
    /// # Errors
    /// A grid that is none, or a gradient without a direction.
    #[wasm_bindgen(js_name = startLandscape)]
    pub async fn start_landscape(&mut self, grid: usize, images: usize) -> Result<(), JsError> {
        Ok(self.session.start_landscape(grid, images).await?)
    }

    /// Measures the next point of the landscape; `false` when there is none.
    ///
    /// # Errors
    /// If the device failed.
    #[wasm_bindgen(js_name = measurePoint)]
    pub async fn measure_point(&mut self) -> Result<bool, JsError> {
        Ok(self.session.measure_point().await?)
    }

    /// The accuracies that the colours of the landscape have to hold besides its own.
    #[wasm_bindgen(js_name = setScale)]
    pub fn set_scale(&mut self, low: f64, high: f64) {
        self.session.set_scale(Range(low, high));
    }

    /// Where the search stands, and those of the figures in `wanted` that changed since the last
    /// call: `{"status": …, "figures": {name: svg}}`.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn frame(&mut self, wanted: Vec<String>) -> Result<String, JsError> {
        let monitor = self.session.monitor().await?;
        frame(monitor, &wanted, &mut self.sent)
    }

    /// The numbers of a figure as CSV.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn table(&mut self, name: &str) -> Result<Option<String>, JsError> {
        Ok(self.session.monitor().await?.table(name))
    }

    /// The genotype as the file genotype.json holds it; `undefined` before the first epoch ends.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn genotype(&mut self) -> Result<Option<String>, JsError> {
        Ok(self.session.monitor().await?.genotype())
    }

    /// Whether a snapshot can be taken now.
    #[wasm_bindgen(getter, js_name = canSave)]
    pub fn can_save(&self) -> bool {
        self.session.can_save()
    }

    /// How many events the search has said.
    #[wasm_bindgen(getter)]
    pub fn events(&self) -> f64 {
        self.session.events() as f64
    }

    /// The whole state, as a checkpoint that `sdarts` opens.
    ///
    /// # Errors
    /// If the search diverged or the device failed.
    pub async fn snapshot(&mut self) -> Result<Vec<u8>, JsError> {
        Ok(self.session.snapshot().await?)
    }

    /// Goes back to a snapshot; `events` is the text of the events said so far.
    ///
    /// # Errors
    /// If one of them is damaged or of another search.
    pub fn restore(&mut self, snapshot: &[u8], events: &str) -> Result<(), JsError> {
        self.sent.clear();
        Ok(self.session.restore(snapshot, events)?)
    }
}

/// A search that ran elsewhere: its file events.jsonl.
#[wasm_bindgen]
pub struct Viewer {
    monitor: Monitor,
    sent: Vec<(String, String)>,
}

#[wasm_bindgen]
impl Viewer {
    /// Reads the text of events.jsonl.
    ///
    /// # Errors
    /// The first line that is no event.
    pub fn open(text: &str) -> Result<Self, JsError> {
        Ok(Self { monitor: Monitor::from_text(text)?, sent: Vec::new() })
    }

    /// As [`Search::frame`].
    ///
    /// # Errors
    /// None in practice.
    pub fn frame(&mut self, wanted: Vec<String>) -> Result<String, JsError> {
        frame(&self.monitor, &wanted, &mut self.sent)
    }

    /// As [`Search::table`].
    pub fn table(&self, name: &str) -> Option<String> {
        self.monitor.table(name)
    }

    /// As [`Search::genotype`].
    pub fn genotype(&self) -> Option<String> {
        self.monitor.genotype()
    }
}

fn frame(
    monitor: &Monitor,
    wanted: &[String],
    sent: &mut Vec<(String, String)>,
) -> Result<String, JsError> {
    let mut figures = serde_json::Map::new();
    for name in wanted {
        let Some(picture) = monitor.draw(name) else { continue };
        let place = sent.iter().position(|(other, _)| other == name);
        if place.is_some_and(|place| sent[place].1 == picture) {
            continue;
        }
        match place {
            Some(place) => sent[place].1.clone_from(&picture),
            None => sent.push((name.clone(), picture.clone())),
        }
        figures.insert(name.clone(), picture.into());
    }
    let status = serde_json::to_value(monitor.status())?;
    Ok(serde_json::json!({ "status": status, "figures": figures }).to_string())
}
