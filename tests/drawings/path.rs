//! Points along the path of an SVG, for the commands that our pictures use.

pub type Point = (f64, f64);

/// Points along a path, close enough to each other to hit anything that it crosses.
pub fn sample(data: &str) -> Vec<Point> {
    const STEPS: usize = 40;
    let mut points: Vec<Point> = Vec::new();
    for (command, numbers) in commands(data) {
        let from = points.last().copied().unwrap_or_default();
        let curve: [Point; 3] = match (command, numbers[..].as_ref()) {
            ('M', &[x, y]) => {
                points.push((x, y));
                continue;
            }
            ('H', &[x]) => [from, (x, from.1), (x, from.1)],
            ('C', &[a, b, c, d, x, y]) => [(a, b), (c, d), (x, y)],
            _ => panic!("no path of an edge has {command} {numbers:?}"),
        };
        for step in 1..=STEPS {
            let t = step as f64 / STEPS as f64;
            let at = |p: fn(Point) -> f64| {
                (1.0 - t).powi(3) * p(from)
                    + 3.0 * t * (1.0 - t).powi(2) * p(curve[0])
                    + 3.0 * t * t * (1.0 - t) * p(curve[1])
                    + t.powi(3) * p(curve[2])
            };
            points.push((at(|p| p.0), at(|p| p.1)));
        }
    }
    points
}

/// The commands of a path with their numbers.
fn commands(data: &str) -> Vec<(char, Vec<f64>)> {
    let starts: Vec<usize> = data
        .char_indices()
        .filter(|(_, character)| character.is_ascii_alphabetic())
        .map(|(at, _)| at)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| {
            let numbers = data[start + 1..end].split_whitespace();
            let numbers = numbers.map(|number| number.parse().unwrap()).collect();
            (data.as_bytes()[start].into(), numbers)
        })
        .collect()
}
