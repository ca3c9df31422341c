//! How a classifier does on labelled images: loss, top-1, top-5, and which class it takes for which.

/// Images by class (rows) and by the class that they were taken for (columns).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix(Vec<Vec<u64>>);

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confusion {
    matrix: Matrix,
    top5: u64,
    /// Sum of the cross-entropies.
    loss: f64,
}

/// One row of the table of classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScore {
    /// Images of the class.
    pub images: u64,
    /// Share of them that were recognised (recall); not a number without images.
    pub recall: f64,
    /// Share of what was taken for the class that is of it; not a number where nothing was.
    pub precision: f64,
}

impl Matrix {
    /// Of these rows; `None` where they are not as long as many.
    pub fn new(rows: Vec<Vec<u64>>) -> Option<Self> {
        rows.iter().all(|row| row.len() == rows.len()).then_some(Self(rows))
    }

    /// Its rows.
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.0
    }

    /// Images.
    pub fn images(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    /// Share of images of which the strongest class is right.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = self.0.iter().enumerate().map(|(class, row)| row[class]).sum();
        right as f64 / self.images() as f64
    }

    /// The classes, in their order.
    pub fn classes(&self) -> Vec<ClassScore> {
        let score = |(class, row): (usize, &Vec<u64>)| {
            let images: u64 = row.iter().sum();
            let taken: u64 = self.0.iter().map(|row| row[class]).sum();
            let right = row[class] as f64;
            ClassScore { images, recall: right / images as f64, precision: right / taken as f64 }
        };
        self.0.iter().enumerate().map(score).collect()
    }
}

impl Confusion {
    /// Adds images. Of equal logits the class with the smaller number is taken. How many classes
    /// there are, the first images say.
    ///
    /// # Shapes
    /// - `logits`: [images, classes], row-major
    pub fn add(&mut self, logits: &[f32], labels: &[u16]) {
        if self.matrix.0.is_empty() {
            let classes = logits.len() / labels.len().max(1);
            self.matrix = Matrix(vec![vec![0; classes]; classes]);
        }
        let classes = self.matrix.0.len().max(1);
        for (row, &label) in logits.chunks_exact(classes).zip(labels) {
            let label = usize::from(label);
            let Some(&own) = row.get(label) else { continue };
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = row.iter().map(|x| (f64::from(*x) - f64::from(largest)).exp()).sum();
            self.loss += sum.ln() + f64::from(largest) - f64::from(own);
            let before = |(class, &x): (usize, &f32)| x > own || x == own && class < label;
            let rank = row.iter().enumerate().filter(|entry| before(*entry)).count();
            self.top5 += u64::from(rank < 5);
            let taken = row.iter().position(|x| *x == largest).unwrap_or(0);
            self.matrix.0[label][taken] += 1;
        }
    }

    /// Which class was taken for which.
    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// Mean cross-entropy.
    pub fn loss(&self) -> f64 {
        self.loss / self.matrix.images() as f64
    }

    /// Share of images whose class is among the five strongest.
    pub fn top5(&self) -> f64 {
        self.top5 as f64 / self.matrix.images() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_ranks_and_counts_are_those_of_the_logits() {
        let mut found = Confusion::default();
        // Right; right within the first five only; not even that.
        found.add(&[9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], &[0]);
        found.add(&[9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0], &[4, 6]);
        let matrix = found.matrix();
        assert_eq!((matrix.images(), matrix.accuracy(), found.top5()), (3, 1.0 / 3.0, 2.0 / 3.0));
        assert_eq!(matrix.rows()[4], [1, 0, 0, 0, 0, 0, 0]);
        let entropy = |own: f64, row: [f64; 7]| row.map(f64::exp).iter().sum::<f64>().ln() - own;
        let falling = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0];
        let first = entropy(9.0, [9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        let expected = (first + entropy(5.0, falling) + entropy(3.0, falling)) / 3.0;
        assert!((found.loss() - expected).abs() < 1e-12);
        let zero = found.matrix().classes()[0];
        assert_eq!((zero.images, zero.recall, zero.precision), (1, 1.0, 1.0 / 3.0));
    }

    #[test]
    fn equal_logits_give_the_first_class_and_its_rank() {
        let mut found = Confusion::default();
        found.add(&[0.0; 12], &[0, 5]);
        assert_eq!((found.matrix().accuracy(), found.top5()), (0.5, 0.5));
        assert!(Matrix::new(vec![vec![1, 2]]).is_none());
    }
}
