// Of so many numbers: their mean, and the sum of their squared distances from it.
struct Moments {
    count: f32,
    mean: f32,
    squares: f32,
}

// Those of all numbers from those of two parts (Chan's formula). The second may be empty.
fn merged(a: Moments, b: Moments) -> Moments {
    let distance = b.mean - a.mean;
    let count = a.count + b.count;
    let share = b.count / count;
    return Moments(count, a.mean + distance * share, a.squares + b.squares + distance * distance * a.count * share);
}

