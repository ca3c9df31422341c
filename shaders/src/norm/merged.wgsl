// Of so many numbers: their mean, and the sum of their squared distances from it.
struct Moments {
    count: f32,
    mean: Number,
    squares: Number,
}

// Those of all numbers from those of two parts (Chan's formula). Any may be empty.
fn merged(a: Moments, b: Moments) -> Moments {
    let distance = b.mean - a.mean;
    let count = a.count + b.count;
    let share = b.count / max(count, 1.0);
    return Moments(count, a.mean + distance * share, a.squares + b.squares + distance * distance * a.count * share);
}

