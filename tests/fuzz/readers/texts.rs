//! Genotypes and settings, as people write them.

use smoothdarts::cell::{Choice, codec, published};
use smoothdarts::config::layers::{Origin, Resolver};
use smoothdarts::space;

use super::{Reader, found, said};

pub static GENOTYPE: Reader = Reader {
    name: "genotype",
    seeds: || {
        let derived = space::ALL.iter().map(|space| {
            let even = |choice: &Choice| {
                choice.rows.iter().map(|row| vec![0.1; row.options.len()]).collect()
            };
            space.derive(&space.choices().iter().map(even).collect::<Vec<_>>())
        });
        let json = |genotype| serde_json::to_string(&genotype).unwrap();
        let texts = derived.flat_map(|genotype| {
            let text = codec::of(&genotype).and_then(|codec| (codec.encode)(&genotype));
            [Some(json(genotype)), text].into_iter().flatten()
        });
        let recurrent = published::RECURRENT.iter().map(|row| row.genotype());
        let recurrent = recurrent.map(|cell| codec::recurrent::to_python(&cell).unwrap());
        texts.chain(recurrent).map(String::into_bytes).collect()
    },
    found: found!("genotype"),
    read: |bytes| {
        let text = str::from_utf8(bytes).map_err(said)?;
        let read = codec::read(text).map_err(said)?;
        let json = serde_json::to_string(&read).map_err(said)?;
        assert_eq!(codec::read(&json), Ok(read.clone()), "as JSON");
        if let Some(codec) = codec::of(&read) {
            let written = (codec.encode)(&read).unwrap();
            let again = (codec.decode)(&written);
            assert_eq!(again.as_ref().ok().and_then(codec.encode), Some(written), "{again:?}");
        }
        Ok(format!("{} cells", read.cells.len()))
    },
};

pub static SETTINGS: Reader = Reader {
    name: "settings",
    seeds: || {
        let defaults = toml::to_string(&smoothdarts::config::Config::default()).unwrap();
        vec![
            defaults.into_bytes(),
            b"seed = 3\n[search]\nmethod = \"sdarts-adv\"\nepochs = 5\n[perturbation]\nnorm = \"l2\"\n"
                .to_vec(),
        ]
    },
    found: found!("settings"),
    read: |bytes| {
        let text = str::from_utf8(bytes).map_err(said)?;
        let table = toml::from_str(text).map_err(said)?;
        let mut resolver = Resolver::default();
        resolver.table(&table, &Origin::Flag).map_err(said)?;
        let resolved = resolver.finish().map_err(said)?;
        Ok(format!("{} {}", resolved.config.search.space, resolved.config.search.method))
    },
};
