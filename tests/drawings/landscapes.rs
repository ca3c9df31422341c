//! Landscapes from above and from the side.

use smoothdarts::draw::csv;
use smoothdarts::draw::landscape::{Frame, Quantity, Range, View, contour, surface};
use smoothdarts::measure::landscape::{Coordinates, Landscape, Sample, Settings};

use super::{HOSTILE, sound};

/// A hill that falls more steeply on one side; `grid` points a side.
pub fn hill(grid: usize) -> Landscape {
    let settings = Settings { grid, ..Settings::default() };
    let axis = settings.axis();
    let height = |x: f64, y: f64| 0.1 + 0.82 * (-(x + 0.2).powi(2) * 1.6 - (y * y) * 0.7).exp();
    let sample = |(x, y): (f64, f64)| Sample {
        x,
        y,
        accuracy: height(x, y),
        loss: 3.0 - 2.8 * height(x, y),
    };
    let points = axis.iter().flat_map(|&y| axis.iter().map(move |&x| (x, y)));
    Landscape { settings, images: 500, samples: points.map(sample).collect() }
}

fn view(landscape: &Landscape, quantity: Quantity) -> View<'_> {
    View { landscape, name: "hill", quantity, frame: Frame::over([landscape], quantity) }
}

#[test]
fn a_landscape_looks_as_it_did() {
    let hill = hill(5);
    let snapshot = |name: &str, picture: String| {
        insta::with_settings!({ snapshot_path => "../snapshots" }, {
            insta::assert_snapshot!(name, picture);
        });
    };
    snapshot("landscape_contour", contour(view(&hill, Quantity::Accuracy)));
    snapshot("landscape_surface", surface(view(&hill, Quantity::Accuracy)));
    snapshot("landscape_csv", csv::landscape(&hill));
}

#[test]
fn every_landscape_is_a_sound_picture() {
    let mut broken = hill(5);
    broken.samples[7].accuracy = f64::NAN;
    broken.samples[8].loss = f64::INFINITY;
    let mut nothing = hill(3);
    for sample in &mut nothing.samples {
        (sample.accuracy, sample.loss) = (f64::NAN, f64::NAN);
    }
    let mut level = hill(3);
    for sample in &mut level.samples {
        (sample.accuracy, sample.loss) = (0.1, 2.3);
    }
    let empty = Landscape { samples: Vec::new(), ..hill(3) };
    for landscape in [hill(21), broken, nothing, level, empty] {
        for quantity in [Quantity::Accuracy, Quantity::Loss] {
            let view = View { name: HOSTILE, ..view(&landscape, quantity) };
            for picture in [contour(view), surface(view)] {
                sound(&picture);
                assert!(!picture.contains("<script>"));
            }
        }
    }
}

#[test]
fn the_side_view_has_one_patch_for_each_square_that_is_whole() {
    let mut hill = hill(5);
    let patches = |hill: &Landscape| {
        let picture = surface(view(hill, Quantity::Accuracy));
        picture.matches("class=\"sd-casing sd-fill").count()
    };
    assert_eq!(patches(&hill), 16);
    hill.samples[12].accuracy = f64::NAN;
    assert_eq!(patches(&hill), 12, "the middle point belongs to four squares");
}

#[test]
fn a_landscape_that_is_not_complete_says_how_far_it_is_and_not_how_flat() {
    let mut hill = hill(5);
    hill.samples.truncate(13);
    for picture in [contour, surface].map(|draw| draw(view(&hill, Quantity::Accuracy))) {
        sound(&picture);
        assert!(picture.contains("13 of 25 points measured") && !picture.contains("drop within"));
    }
}

#[test]
fn a_plane_has_straight_contours_at_the_ticks() {
    let mut plane = hill(5);
    for sample in &mut plane.samples {
        sample.accuracy = 0.5 + 0.5 * sample.x;
    }
    let picture = contour(view(&plane, Quantity::Accuracy));
    // 380 pixels from x = 64 stand for 0 to 100 %: 50 % lies at 254, on every line segment.
    assert!(picture.contains("M254 367L254 462"), "{picture}");
}

#[test]
fn one_frame_over_two_landscapes_holds_both() {
    let (mut low, mut high) = (hill(3), hill(3));
    low.samples[0].accuracy = 0.01;
    low.samples[1].accuracy = f64::NAN;
    high.settings.range = 2.0;
    let frame = Frame::over([&low, &high], Quantity::Accuracy);
    assert_eq!((frame.range.0, frame.reach), (0.01, 2.0));
    assert!(frame.range.1 > 0.8);
    assert_eq!(Range(0.1, 0.5).union(Range(0.2, 0.9)), Range(0.1, 0.9));
}

#[test]
fn a_landscape_of_half_the_range_takes_half_of_the_common_axes() {
    let mut plane = hill(5);
    for sample in &mut plane.samples {
        sample.accuracy = 0.5 + 0.5 * sample.x;
    }
    let frame = Frame { reach: 2.0, ..Frame::over([&plane], Quantity::Accuracy) };
    let picture = contour(View { frame, ..view(&plane, Quantity::Accuracy) });
    // 50 % still lies in the middle, and goes from a quarter to three quarters of the height.
    assert!(picture.contains("M254 319.5L254 367") && !picture.contains("L254 462"), "{picture}");
}

#[test]
fn a_landscape_reads_back_from_its_file_to_the_last_bit() {
    let mut told = hill(5);
    told.settings = Settings { space: Coordinates::Probabilities, seed: 7, ..told.settings };
    (told.samples[3].accuracy, told.samples[4].loss) = (f64::NAN, f64::INFINITY);
    let text = csv::landscape(&told);
    let read = csv::read_landscape(&text).unwrap();
    assert_eq!((read.settings, read.images), (told.settings, 500));
    assert_eq!(csv::landscape(&read), text);
}

#[test]
fn a_file_that_is_no_landscape_is_refused_with_its_line() {
    let good = csv::landscape(&hill(3));
    let refused = |text: &str| csv::read_landscape(text).unwrap_err().to_string();
    assert!(refused("x,y,accuracy,loss\n0,0,0.5,1\n").contains("first line"), "an early file");
    assert!(refused("").contains("first line"));
    let cut: String = good.lines().take(9).map(|line| format!("{line}\n")).collect();
    assert!(refused(&cut).contains("8 points"));
    let lines: Vec<&str> = good.lines().collect();
    let with = |line: usize, text: &str| {
        let mut lines = lines.clone();
        lines[line - 1] = text;
        lines.join("\n")
    };
    assert!(refused(&with(4, "1,2,3")).contains("line 4: 3 fields"));
    assert!(refused(&with(4, "1,-1,many,2,logits,500,0")).contains("line 4: `many`"));
    assert!(refused(&with(4, "0.5,-1,0.3,2,logits,500,0")).contains("line 4: the point is not"));
    assert!(refused(&with(4, "1,-1,0.3,2,logits,50,0")).contains("line 4: it was measured"));
    assert!(refused(&with(4, "1,-1,0.3,2,elsewhere,500,0")).contains("line 4: no such space"));
    assert!(refused(&with(10, "nan,1,0.3,2,logits,500,0")).contains("line 2: the point is not"));
}
