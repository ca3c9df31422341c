//! What the paper says of published genotypes, to set beside what is computed of them.

/// The paper's figures of one genotype; `None` where it gives none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Name in [`crate::cell::published`].
    pub name: &'static str,
    /// Width of the normal cell in units of c, and its depth (§7.4).
    pub shape: Option<(f64, usize)>,
    /// Space and method of its entry in Table 5.
    pub search: Option<(&'static str, &'static str)>,
    /// Millions of weights of the CIFAR-10 network, to one digit (Table 1).
    pub millions: Option<f64>,
}

/// All of them. The entry of SDARTS-RS in Table 1 does not agree with the cell that was released
/// under its name, so that is probably not the cell of the table.
pub static ALL: &[Figures] = &[
    Figures { shape: Some((3.5, 3)), ..named("DARTS_V1") },
    Figures { shape: Some((3.5, 3)), millions: Some(3.3), ..named("DARTS_V2") },
    Figures { millions: Some(3.4), ..named("PDARTS") },
    Figures { shape: Some((4.0, 2)), millions: Some(3.6), ..named("PC_DARTS_cifar") },
    Figures { millions: Some(2.8), ..named("SNAS_moderate") },
    Figures { millions: Some(3.4), ..named("GDAS_V1") },
    Figures { millions: Some(3.4), ..named("c10_s5_random") },
    Figures { shape: Some((3.0, 4)), millions: Some(3.3), ..named("c10_s5_pgd") },
    found("c10_s1_pcdarts", "s1", "pc-darts"),
    found("c10_s2_pcdarts", "s2", "pc-darts"),
    found("c10_s3_pcdarts", "s3", "pc-darts"),
    found("c10_s4_pcdarts", "s4", "pc-darts"),
    found("c10_s1_random", "s1", "sdarts-rs"),
    found("c10_s2_random", "s2", "sdarts-rs"),
    found("c10_s3_random", "s3", "sdarts-rs"),
    found("c10_s4_random", "s4", "sdarts-rs"),
    found("c10_s1_pgd", "s1", "sdarts-adv"),
    found("c10_s2_pgd", "s2", "sdarts-adv"),
    found("c10_s3_pgd", "s3", "sdarts-adv"),
    found("c10_s4_pgd", "s4", "sdarts-adv"),
];

/// The paper's figures of a published genotype; empty ones where it gives none.
pub fn find(name: &'static str) -> Figures {
    *ALL.iter().find(|figures| figures.name == name).unwrap_or(&named(name))
}

/// The test error that the paper reports of a network of this genotype, trained in full: on ImageNet
/// that of Table 2, on other data that of Tables 1 and 4.
pub fn test_error(name: &str, data: &str) -> Option<super::Published> {
    if data == "imagenet" {
        let method = match name {
            "DARTS_V2" => "darts-2nd",
            "GDAS_V1" => "gdas",
            "PDARTS" => "p-darts",
            "PC_DARTS_cifar" => "pc-darts",
            "c10_s5_random" => "sdarts-rs",
            "c10_s5_pgd" => "sdarts-adv",
            _ => return None,
        };
        return super::TABLE_2.iter().find(|row| row.method == method).copied();
    }
    let (data, space, method) = match name {
        "DARTS_V1" => ("cifar10", "s5", "darts"),
        "DARTS_V2" => ("cifar10", "s5", "darts-2nd"),
        name => {
            let mut words = name.splitn(3, '_');
            let data = match words.next()? {
                "c10" => "cifar10",
                "c100" => "cifar100",
                other => other,
            };
            let space = words.next()?;
            let method = match words.next()? {
                "random" => "sdarts-rs",
                "pgd" => "sdarts-adv",
                "pcdarts" => "pc-darts",
                other => other,
            };
            (data, space, method)
        }
    };
    super::test_error(data, space, method)
}

const fn named(name: &'static str) -> Figures {
    Figures { name, shape: None, search: None, millions: None }
}

const fn found(name: &'static str, space: &'static str, method: &'static str) -> Figures {
    Figures { search: Some((space, method)), ..named(name) }
}

impl Figures {
    /// Parameter-free share of the normal cell (Table 5).
    pub fn parameter_free(&self) -> Option<f64> {
        self.search.and_then(|(space, method)| super::parameter_free("cifar10", space, method))
    }
}
