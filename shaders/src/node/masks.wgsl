// What the image of a pixel is multiplied by; an image has so many pixels.
fn mask_of(pixel: u32) -> f32 {
    return {{ mask }};
}

