uniform sampler2DShadow sun_map;
uniform sampler2D floor_map;

bool is_within(vec2 at, vec2 used) {
    return all(greaterThan(at, vec2(0.0))) && all(lessThan(at, used));
}

// Share of the sun (or main lamp) that reaches a point: 0 to 1; all of it beyond the map.
float sunlit(vec3 point, vec3 outward) {
    float facing = dot(outward, to_sun.xyz);
    float slope = sqrt(max(1.0 - facing * facing, 0.0));
    vec3 lifted = point + to_sun.w * (outward * (0.6 + 2.0 * slope) + 0.5 * to_sun.xyz);
    vec3 at = (world_to_sun * vec4(lifted, 1.0)).xyz;
    at.z = is_within(at.xy, vec2(sun.w, sky.w)) ? clamp(at.z, 0.0, 1.0) : 0.0;
    vec3 near = vec3(0.7, 0.35, 0.0) / float(textureSize(sun_map, 0).x);
    return 0.5 * (texture(sun_map, at + near) + texture(sun_map, at - near));
}

// Share of the sky's light that reaches a point: less near the floor and below things.
float open_sky(vec3 point, vec3 outward) {
    float low = 1.0 - smoothstep(0.0, 0.6, abs(point.z));
    vec2 at = (world_to_floor * vec4(point, 1.0)).xy;
    float hidden = is_within(at, vec2(ground.w, lamp.w)) ? texture(floor_map, at).x : 0.0;
    return 1.0 - low * mix(0.35 * (1.0 - outward.z), hidden, smoothstep(0.4, 0.7, outward.z));
}

float highlight(vec3 to_light, vec3 to_eye, vec3 outward, float gloss) {
    float along = max(dot(normalize(to_light + to_eye), outward), 0.0);
    float rough = mix(0.5, 0.01, sqrt(gloss));
    float lobe = 1.0 - along * along * (1.0 - rough);
    return 0.03 * gloss * rough / (lobe * lobe);
}

#ifdef INFRARED
// Light that a surface sends to a camera for the infrared, from the lamp beside its lens.
vec3 lit_by_camera(vec3 colour, vec3 point, vec3 outward) {
    vec3 to_eye = eye.xyz - point;
    float distance2 = dot(to_eye, to_eye);
    to_eye *= inversesqrt(distance2);
    float beam = mix(0.35, 1.0, smoothstep(0.5, 0.95, -dot(to_eye, axis.xyz)));
    float facing = 0.15 + 0.85 * max(dot(outward, to_eye), 0.0);
    return colour * (28.0 * beam * facing / (8.0 + distance2) + 0.015);
}
#else
// Light that a surface sends to the camera; `straight` is its normal before patterns bend it.
vec3 lit(vec3 colour, vec3 point, vec3 straight, vec3 outward, float gloss, float soft) {
    vec3 to_eye = normalize(eye.xyz - point);
    float open = open_sky(point, straight);
    vec3 direct = sun.rgb * sunlit(point, straight);
    vec3 diffuse = mix(ground.rgb, sky.rgb, 0.5 + 0.5 * outward.z) * open
        + direct * max((dot(outward, to_sun.xyz) + soft) / (1.0 + soft), 0.0);
    for (int i = 0; i < LAMPS; i++) {
        vec3 to_lamp = lamps[i].xyz - point;
        float near = inversesqrt(dot(to_lamp, to_lamp) + 0.3);
        diffuse += lamp.rgb * max(dot(outward, to_lamp) * near, 0.0) * near * near
            * (0.6 + 0.4 * open);
    }
    float grazing = 1.0 - max(dot(outward, to_eye), 0.0);
    float grazing2 = grazing * grazing;
    float mirrored = gloss * (0.04 + 0.6 * grazing2 * grazing2 * grazing);
    float upward = reflect(-to_eye, outward).z;
    vec3 mirror = mix(ground.rgb, sky.rgb, smoothstep(-0.2, 0.4, upward));
    return colour * diffuse + mirrored * mirror
        + direct * highlight(to_sun.xyz, to_eye, outward, gloss);
}
#endif
